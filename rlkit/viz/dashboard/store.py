"""What is on disk below the dashboard's folder: read once, then only what changed, shared by all requests."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path

from rlkit.viz.curves import CurveOptions, Line, make_line
from rlkit.viz.grouping import Group
from rlkit.viz.labels import X_DEFAULT, Y_DEFAULT
from rlkit.viz.run_reader import RunReader, walk_runs

MIN_SCAN_INTERVAL_S = 1.0  # several open pages ask more often than that
MAX_LINES_KEPT = 2000
WARMING_PAUSE_S = 0.005  # between files, so that requests come first


class RunStore:
    """The runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()  # nothing outside it is ever read or served
        self.version = 0  # grows whenever anything changed
        self._by_name: dict[str, RunReader] = {}
        self._lines: OrderedDict[tuple[object, ...], Line | None] = OrderedDict()
        self._lock = threading.RLock()
        self._scanned = -MIN_SCAN_INTERVAL_S
        self._warming: threading.Thread | None = None

    def scan(self) -> int:
        """Look for new, changed and deleted runs; returns the version."""
        with self._lock:
            if time.monotonic() - self._scanned < MIN_SCAN_INTERVAL_S:
                return self.version
            before = self._by_name
            self._by_name = {}
            for folder, name in walk_runs(self.root):
                known = before.get(name)
                self._by_name[name] = known or RunReader(folder, name, eager=(X_DEFAULT, Y_DEFAULT))
            changed = [run.refresh() for run in self._by_name.values()]
            self.version += any(changed) or before.keys() != self._by_name.keys()
            self._scanned = time.monotonic()
            return self.version

    def runs(self) -> list[RunReader]:
        """All runs, by name."""
        with self._lock:
            return list(self._by_name.values())

    def line(self, group: Group, y: str, options: CurveOptions) -> Line | None:
        """As `make_line`, remembered while the group's runs do not change."""
        runs = tuple((member.name, member.version) for member in group.members)
        how = (options.x, options.statistic, options.smooth, options.max_points, options.num_resamples)
        key = (group.label, group.detail, y, how, runs)
        with self._lock:
            if key in self._lines:
                self._lines.move_to_end(key)
                return self._lines[key]
            line = self._lines[key] = make_line(group, y, options)
            if len(self._lines) > MAX_LINES_KEPT:
                self._lines.popitem(last=False)
            return line

    def last_value(self, run: RunReader, column: str) -> float:
        """The last finite value of a column, nan if there is none."""
        with self._lock:
            values = run.progress.column(column)
            values = values[values == values]
            return float(values[-1]) if len(values) else float("nan")

    def warm(self) -> None:
        """Read all columns in the background, so that the first change of an axis is quick; does so once."""
        with self._lock:
            if self._warming is None:
                self._warming = threading.Thread(target=self._read_everything, name="warm", daemon=True)
                self._warming.start()

    def _read_everything(self) -> None:
        for run in self.runs():
            with self._lock:
                run.progress.load(run.progress.columns)
            time.sleep(WARMING_PAUSE_S)
