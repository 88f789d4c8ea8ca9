"""Checkpoints: what a run needs to go on exactly where it was. Arrays and JSON only: loading executes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlkit.util.errors import RunError
from rlkit.util.files import digest, sync_folder, write_arrays, write_json

VERSION = 2  # of the format; another one is refused
FIRST_KEYS = {"version", "sha256", "state"}  # of a manifest of earlier versions, which has no checksum of its own
FOLDER = "checkpoints"
JOURNAL_FILE = "experience.journal"

Arrays = Mapping[str, np.ndarray]


class Checkpoint(NamedTuple):
    """One saved state."""

    arrays: Arrays  # weights, optimizers, the training phase's sums and generator, by dotted name
    state: Mapping[str, Any]  # counters and places, as JSON holds them


class CheckpointStore:
    """The last few checkpoints of a run, each a pair of files that is replaced as a whole.

    `NAME.npz` holds the arrays, `NAME.json` the rest with the checksum of the arrays; it is written last, so a
    checkpoint exists when its JSON does.
    """

    def __init__(self, run_folder: Path, keep: int) -> None:
        """Checkpoints lie in `run_folder`/checkpoints; the newest `keep` stay."""
        self._folder = run_folder / FOLDER
        self._keep = keep

    def save(self, number: int, checkpoint: Checkpoint) -> None:
        """Write checkpoint `number` and remove what is too old."""
        self._folder.mkdir(exist_ok=True)
        manifest_file, arrays_file = self._files(number)
        write_arrays(arrays_file, checkpoint.arrays, compress=False)
        sync_folder(self._folder.parent)  # the files that this checkpoint goes with have their names
        manifest = {"version": VERSION, "sha256": _sha256(arrays_file), "state": dict(checkpoint.state)}
        write_json(manifest_file, {**manifest, "manifest_sha256": digest(manifest)})
        for old in self.numbers()[: -self._keep]:
            self.remove(old)

    def remove(self, number: int) -> None:
        for file in self._files(number):
            file.unlink(missing_ok=True)

    def numbers(self) -> list[int]:
        """Numbers of the checkpoints that are there, in order."""
        names = [path.stem for path in self._folder.glob("*.json")]
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def load(self, number: int) -> Checkpoint:
        """Read checkpoint `number`.

        Raises:
            RunError: it is damaged, or of another version of the format.
        """
        manifest_file, arrays_file = self._files(number)
        try:
            manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
            version, expected, state = manifest["version"], manifest["sha256"], manifest["state"]
            if set(manifest) != FIRST_KEYS and manifest.pop("manifest_sha256") != digest(manifest):
                raise ValueError("its checksum is another one")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"checkpoint {manifest_file} is damaged: {error}") from None
        if version != VERSION:
            raise RunError(f"checkpoint {manifest_file} has version {version}, this program reads {VERSION}")
        try:
            if _sha256(arrays_file) != expected:
                raise ValueError("its checksum is another one")
            with np.load(arrays_file, allow_pickle=False) as file:
                return Checkpoint({name: file[name] for name in file.files}, state)
        except (OSError, ValueError) as error:
            raise RunError(f"checkpoint {arrays_file} is damaged: {error}") from None

    def _files(self, number: int) -> tuple[Path, Path]:
        """The JSON, and the arrays that it vouches for."""
        return self._folder / f"{number:08}.json", self._folder / f"{number:08}.npz"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
