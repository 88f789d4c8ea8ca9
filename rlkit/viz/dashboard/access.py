"""Who may ask, and what a page may load."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from flask import Flask, Response, abort, request

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
# Everything comes from this server; Dash's start-up script and its components need the two "unsafe" sources.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'none'"
)


def restrict_access(server: Flask, hosts: Sequence[str]) -> None:
    """Answer only requests by a known name, and let pages load nothing from elsewhere.

    A foreign page whose name is made to point at this machine (DNS rebinding) is thereby refused.

    Args:
        server: the application's.
        hosts: names besides the loopback ones; none: any name.
    """
    known = {name.lower() for name in (*LOOPBACK_NAMES, *hosts)}

    @server.before_request
    def check_host() -> None:
        name = request.host.lower()
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") else name
        if hosts and bare not in known:
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
