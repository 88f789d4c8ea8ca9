"""Who may ask, what a page may load, and which files: pictures, videos and tables of runs, as they are; nothing else,
and nothing outside the folder.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from flask import Flask, Response, abort, request, send_file

from rlkit.util.text import printable

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
# Everything comes from this server; Dash's start-up script and its components need the two "unsafe" sources.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'none'"
)
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
VIDEOS = (".mp4", ".webm")
SERVED = (*PICTURES, *VIDEOS, ".pdf", ".csv")
MAX_FILES_LISTED = 60
MAX_DEPTH = 2  # of folders within a run's
URL_PREFIX = "/files/"


def restrict_access(server: Flask, *, local_only: bool) -> None:
    """Let pages load nothing from elsewhere and, where `local_only`, answer only requests by this machine's own name.

    A foreign page whose name is made to point at this machine (DNS rebinding) is thereby refused.
    """

    @server.before_request
    def check_host() -> None:
        name = request.host.lower()
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") else name
        if local_only and bare not in LOOPBACK_NAMES:
            abort(403)

    @server.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def is_loopback(host: str) -> bool:
    """Whether a server on `host` can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def add_file_route(server: Flask, root: Path) -> None:
    """Serve files of the kinds in SERVED below `root`."""

    @server.get(f"{URL_PREFIX}<path:relative>")
    def serve(relative: str) -> Response:
        path = allowed_path(root, relative)
        if path is None:
            abort(404)
        response = send_file(path, conditional=True)
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Cache-Control"] = "no-cache"
        return response


def allowed_path(root: Path, relative: str) -> Path | None:
    """The file that a request may have; None for anything outside `root`, hidden, of another kind or not there.

    Links are resolved first, so that one that leads out of the folder leads nowhere.
    """
    if "\0" in relative or "\\" in relative:
        return None
    try:
        path = (root / relative).resolve(strict=True)
        parts = path.relative_to(root.resolve()).parts
    except (OSError, ValueError, RuntimeError):
        return None
    is_hidden = any(part.startswith(".") for part in parts)
    return path if path.is_file() and not is_hidden and path.suffix.lower() in SERVED else None


def media_below(folder: Path, root: Path) -> list[tuple[str, str]]:
    """(name within the folder, url) of a run's pictures and videos."""
    return [
        (printable(path.relative_to(folder).as_posix()), URL_PREFIX + quote(os.fsencode(path.relative_to(root))))
        for path in sorted(_media(folder))
    ][:MAX_FILES_LISTED]


def _media(folder: Path) -> Iterable[Path]:
    for current, subfolders, files in os.walk(folder):
        depth = len(Path(current).relative_to(folder).parts)
        subfolders[:] = [name for name in subfolders if depth < MAX_DEPTH and not name.startswith(".")]
        for name in files:
            if name.lower().endswith((*PICTURES, *VIDEOS)) and not name.startswith("."):
                yield Path(current) / name
