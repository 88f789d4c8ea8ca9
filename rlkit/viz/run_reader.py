"""Run folders: finding them, and reading config, status and progress so that nothing half written hurts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlkit.runs.folder import PROGRESS_FILE, STATUS_FILE, VARIANT_FILE, RunFolder, Status
from rlkit.runs.progress import ProgressFile
from rlkit.util.errors import UserError
from rlkit.util.files import read_json
from rlkit.util.text import printable

STUDY_FILE, STUDY = "study.json", "study"  # beside a study's runs; by what they are filtered and grouped
MARKERS = (PROGRESS_FILE, VARIANT_FILE)
"""A folder that holds one of these is a run's."""
MAX_NUMBER = 1e300  # larger ones, infinity and nan are shown, not computed with
SILENT_AFTER_S = 1800.0  # a run that says it is running but has written nothing for so long is shown as silent
STATES = ("running", "silent", "finished", "failed", "interrupted", "kept", "unknown")
AGENT_MARKER, KEPT_MARKER = "policy.pth", "machine.json"  # of a trained agent, and of results kept of a run

Config = dict[str, Any]
"""Settings by dotted key; lists as JSON text, so that every value can be compared and printed."""


class RunReader:
    """One run's folder; call `refresh` before reading and whenever news are wanted."""

    def __init__(self, path: Path, name: str | None = None, eager: Sequence[str] = ()) -> None:
        """A folder, what to call it, and the columns that will surely be asked for."""
        self.path = path
        self.folder = RunFolder(path)
        self.name = printable(name or path.name)
        self.progress = ProgressFile(path / PROGRESS_FILE, eager)
        self.config: Config = {}
        self.status = Status("unknown", -1)  # its state is one of STATES; -1: not known
        self._said = Status()
        self.version = 0  # counts the changes that `refresh` saw
        self._config_problem = ""
        self._stamps: dict[str, tuple[int, int] | None] = {}

    def refresh(self) -> bool:
        """Read what changed on disk; returns whether anything did."""
        changed = self.progress.refresh()
        if self._is_new(VARIANT_FILE):
            self.config, self._config_problem = read_config(self.path / VARIANT_FILE)
            if os.path.lexists(self.path.parent / STUDY_FILE):
                self.config[STUDY] = printable(self.path.parent.name)
            changed = True
        if self._is_new(STATUS_FILE) or changed:
            self._said = self.folder.status
            changed = True
        status = self._current_status()
        changed |= status.state != self.status.state
        self.status = status
        self.version += changed
        return changed

    @property
    def is_agent(self) -> bool:
        """Whether this is a trained agent alone, without the rows of its run."""
        return not os.path.lexists(self.path / PROGRESS_FILE) and os.path.lexists(self.path / AGENT_MARKER)

    @property
    def env_name(self) -> str:
        """The task family, or the parent folder's name where there is no config."""
        return str(self.config.get("env_name", printable(self.path.parent.name) or "unknown"))

    @property
    def problems(self) -> list[str]:
        """What could not be read, one line each; an agent that was kept of a run has no rows, and lacks nothing."""
        rows = self.progress.problem or ("" if self.progress.num_rows else "no rows yet")
        return [problem for problem in (self._config_problem, "" if self.is_agent else rows) if problem]

    def _is_new(self, file_name: str) -> bool:
        info = _stat(self.path / file_name)
        stamp = None if info is None else (info.st_size, info.st_mtime_ns)
        is_new = file_name not in self._stamps or self._stamps[file_name] != stamp
        self._stamps[file_name] = stamp
        return is_new

    def _current_status(self) -> Status:
        state, iteration, updated = self._said
        written = _stat(self.path / PROGRESS_FILE)
        updated = updated or (0.0 if written is None else written.st_mtime)
        if self.is_agent or (state == "unknown" and os.path.lexists(self.path / KEPT_MARKER)):
            state = "kept"
        elif state not in STATES:
            state = "unknown"
        if state == "running" and time.time() - updated > SILENT_AFTER_S:
            state = "silent"
        if state in ("unknown", "kept"):
            iteration = iteration or self.progress.num_rows or -1
        return Status(state, iteration, updated)


def find_runs(paths: Iterable[Path]) -> list[RunReader]:
    """Every run at or below `paths`, each once, in the order of the paths and then by name.

    Raises:
        UserError: a path does not exist or is a file that is no progress.csv.
    """
    found: dict[Path, RunReader] = {}
    for path in paths:
        for folder, name in _folders_below(path):
            found.setdefault(folder.resolve(), RunReader(folder, name))
    return list(found.values())


def _folders_below(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.is_file():
        if path.name not in MARKERS:
            raise UserError(f"{path}: not an experiment: name a folder or a {PROGRESS_FILE}")
        yield path.parent, path.parent.resolve().name
    else:
        yield from walk_runs(path)


def walk_runs(root: Path) -> Iterator[tuple[Path, str]]:
    """Run folders at or below `root`, sorted, and their names.

    Links and hidden folders are not followed, nor is anything looked for inside a run.
    """
    for folder, subfolders, files in os.walk(root):
        if any(marker in files for marker in MARKERS):
            subfolders.clear()
            name = Path(folder).relative_to(root).as_posix()
            yield Path(folder), root.resolve().name if name == "." else name
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))


def all_columns(runs: Iterable[RunReader]) -> list[str]:
    """Every column of any progress.csv, in the order of the files."""
    return list(dict.fromkeys(name for run in runs for name in run.progress.columns))


def read_config(path: Path) -> tuple[Config, str]:
    """The settings of a variant.json by dotted key, and what was wrong with it ("" if nothing)."""
    if not os.path.lexists(path):
        return {}, f"no {path.name}"
    tree = read_json(path)
    if not isinstance(tree, dict):
        return {}, f"{path.name}: not a JSON object"
    try:
        return flatten(tree), ""
    except RecursionError:
        return {}, f"{path.name}: nested too deeply"


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Config:
    """Join nested keys with dots; anything but a number, a text, a switch or null becomes JSON text."""
    flat: Config = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{printable(key)}."))
        else:
            flat[f"{prefix}{printable(key)}"] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < MAX_NUMBER:
        return value
    return printable(value if isinstance(value, str) else json.dumps(value))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
