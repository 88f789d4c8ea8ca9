"""A study under way: its folder, its runs and how they stand, and the search that is told of them."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rlkit.config.files import MAY_CHANGE_ON_RESUME, flat
from rlkit.config.rules import shown
from rlkit.config.settings import Config
from rlkit.launchers.runs import Run
from rlkit.runs.folder import PROGRESS_FILE, env_folder
from rlkit.runs.progress import ProgressFile
from rlkit.sweep.launch import Outcome, Row, State, rows_with_value
from rlkit.sweep.points import Point, Settings, known_points, make_point, run_of
from rlkit.sweep.study import Study
from rlkit.sweep.table import TableRow, read_table, write_table
from rlkit.sweep.work import Work
from rlkit.util.errors import UserError
from rlkit.util.files import read_json, write_json
from rlkit.viz.run_reader import STUDY_FILE
from rlkit.viz.stats import final_value

BASE_FILE, TABLE_FILE = "base.json", "study.csv"
ENDED: tuple[State, ...] = ("finished", "stopped", "refused")  # what a study that goes on does not run again


@dataclass
class Entry:
    """One run of the study, and how it stands."""

    point: Point
    seed: int
    run: Run
    state: State = "waiting"
    iteration: int = 0
    value: float = math.nan  # while it runs its last one, then what it comes to: see `final_value`
    message: str = ""


class Watch(Protocol):
    """Shows how a study goes."""

    def changed(self, entry: Entry, *, is_row: bool) -> None:
        """A run has a new row, or another state."""


class Search(Protocol):
    """Chooses points, knowing what earlier ones came to."""

    def ask(self, number: int) -> Settings:
        """The settings of the point of this number."""

    def tell(self, number: int, value: float | None) -> None:
        """What a point came to: the mean over its seeds; None where none came to anything."""

    def recall(self, number: int, settings: Settings, value: float | None, *, has_ended: bool) -> None:
        """The same of a point of an earlier session, which may still be open."""


class Session(Work):
    """The study's runs, point by point; a run that ended in an earlier session is not repeated.

    Attributes:
        folder: of the study: its runs lie in it.
        entries: the runs known so far, in their order.
    """

    shows_launcher = False

    def __init__(self, study: Study, base: Config, name: str, *, resumes: bool) -> None:
        """Read how far the study is; nothing is written before the first run is asked for.

        Raises:
            UserError: its folder is taken, cannot be written, or is that of another study; a point cannot work; or
                Optuna is not there.
        """
        self.study, self.base = study, base
        self.folder = env_folder(base).absolute() / name
        self.watch: Watch | None = None
        self._has_begun = False
        self._require_own_folder(resumes)
        table = read_table(self.folder / TABLE_FILE, list(study.space)) if resumes else []
        self._search = _search(study, len(table) // study.seeds)
        self._told: set[int] = set()
        self.entries: list[Entry] = []
        for point in known_points(study, base):
            self._add(point)
        self._recall(table)
        self._waiting = deque(entry for entry in self.entries if entry.state not in ENDED)

    def _begin(self) -> None:
        """Make the study's folder, and write what is to be known of it."""
        self._has_begun = True
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / BASE_FILE, self.base.model_dump())
        write_json(self.folder / STUDY_FILE, self._description())
        self.save()

    @property
    def num_runs(self) -> int:
        """How many the study has when all points are known."""
        return self.study.num_points * self.study.seeds

    def next(self) -> Run | None:
        if not self._has_begun:
            self._begin()
        while not self._waiting:
            number = len(self.entries) // self.study.seeds
            if self._search is None or number >= self.study.num_points:
                return None
            entries = self._add(make_point(number, self._search.ask(number), self.base))
            self._waiting.extend(entry for entry in entries if entry.state not in ENDED)
            self._tell(number)
            self.save()
        return self._waiting.popleft().run

    @property
    def is_known(self) -> bool:
        return self._search is None

    def past(self) -> Iterable[tuple[str, list[Row]]]:
        for entry in self.entries:
            if entry.state in ("finished", "stopped"):
                rows = rows_with_value(self._progress(entry), self.study.metric)
                yield entry.run.name, [row for row in rows if row.iteration < entry.run.num_iterations]

    def starts(self, run: Run) -> None:
        self._change(run, "running")

    def began(self, run: Run, iterations: int) -> None:
        self._entry(run).iteration = iterations

    def row(self, run: Run, row: Row) -> None:
        entry = self._entry(run)
        entry.iteration, entry.value = row
        if self.watch is not None:
            self.watch.changed(entry, is_row=True)

    def lost(self, run: Run) -> None:
        self._entry(run).message = f"was killed after iteration {self._entry(run).iteration} and taken on again"
        self._change(run, "running")

    def ended(self, run: Run, outcome: Outcome) -> None:
        entry = self._entry(run)
        entry.message = " ".join(outcome.message.split()) or entry.message
        self._read_value(entry)
        self._change(run, outcome.state)
        self._tell(entry.point.number)

    def settled(self, run: Run) -> None:
        entry = self._entry(run)
        self._read_value(entry)
        if run.is_finished:
            entry.state = "finished"
        self.save()

    def save(self) -> None:
        """Write study.csv."""
        write_table(self.folder / TABLE_FILE, list(self.study.space), self.entries)

    def _add(self, point: Point) -> list[Entry]:
        state: State = "refused" if point.refusal else "waiting"
        entries = [
            Entry(
                point, seed, run_of(point, seed, self.folder, self.folder / BASE_FILE), state, message=point.refusal
            )
            for seed in range(self.study.seeds)
        ]
        self.entries += entries
        return entries

    def _entry(self, run: Run) -> Entry:
        number, _, seed = run.name.partition("-s")
        return self.entries[int(number) * self.study.seeds + int(seed)]

    def _change(self, run: Run, state: State) -> None:
        entry = self._entry(run)
        entry.state = state
        self.save()
        if self.watch is not None:
            self.watch.changed(entry, is_row=False)

    def _progress(self, entry: Entry) -> ProgressFile:
        progress = ProgressFile(entry.run.folder / PROGRESS_FILE, ("Epoch", self.study.metric))
        progress.refresh()
        return progress

    def _read_value(self, entry: Entry) -> None:
        progress = self._progress(entry)
        entry.iteration, entry.value = progress.num_rows, final_value(progress.column(self.study.metric))

    def _tell(self, number: int) -> None:
        """Tell the search what a point came to, once all its seeds have ended."""
        seeds = self.entries[number * self.study.seeds :][: self.study.seeds]
        if (
            self._search is None
            or number in self._told
            or any(entry.state not in (*ENDED, "failed") for entry in seeds)
        ):
            return
        self._told.add(number)
        self._search.tell(number, self._mean(seeds))

    @staticmethod
    def _mean(seeds: Iterable[Entry]) -> float | None:
        values = [entry.value for entry in seeds if entry.state in ENDED and math.isfinite(entry.value)]
        return sum(values) / len(values) if values else None

    def _description(self) -> dict[str, Any]:
        base = flat(self.base.model_dump())
        study = self.study.model_dump(exclude_none=True, exclude={"base"})
        return {"study": study, "base": {key: base[key] for key in base if key not in MAY_CHANGE_ON_RESUME}}

    def _require_own_folder(self, resumes: bool) -> None:
        there = read_json(self.folder / STUDY_FILE)
        if not resumes:
            own_files = {STUDY_FILE, BASE_FILE, TABLE_FILE}  # all there is where no run began
            if self.folder.exists() and {path.name for path in self.folder.iterdir()} - own_files:
                raise UserError(f"{self.folder} exists already: go on with it by --resume, or choose another --name")
            above = next(folder for folder in self.folder.parents if folder.exists())
            if not above.is_dir() or not os.access(above, os.W_OK):
                raise UserError(f"cannot write results to {above}")
            return
        if not isinstance(there, dict):
            raise UserError(f"--resume: there is no study in {self.folder}")
        own = json.loads(json.dumps(self._description()))
        for part in own:
            if there.get(part) != own[part]:
                raise UserError(
                    f"--resume: {self.folder} is another study: {_difference(there.get(part), own[part])}"
                )

    def _recall(self, rows: Sequence[TableRow]) -> None:
        """Take the runs as the earlier session left them: their folders say how far, the table what was decided."""
        seeds = self.study.seeds
        if self._search is not None:
            for number in range(len(rows) // seeds):
                self._add(make_point(number, rows[number * seeds].settings, self.base))
        for entry, row in zip(self.entries, rows, strict=False):
            if entry.state == "refused":
                continue
            self._read_value(entry)
            if row.state == "stopped":
                entry.state = "stopped"
            elif entry.run.is_finished:
                entry.state = "finished"
        if self._search is not None:
            for number in range(len(self.entries) // seeds):
                of_point = self.entries[number * seeds :][:seeds]
                has_ended = all(entry.state in ENDED for entry in of_point)
                if has_ended:
                    self._told.add(number)
                settings = of_point[0].point.settings
                self._search.recall(number, settings, self._mean(of_point), has_ended=has_ended)


def _difference(there: Any, own: Mapping[str, Any]) -> str:
    """The first thing in which two descriptions differ."""
    found = there if isinstance(there, dict) else {}
    key = next(key for key in sorted({*found, *own}) if found.get(key) != own.get(key))
    return f"its {key} is {shown(found.get(key))}, this one's {shown(own.get(key))}"


def _search(study: Study, num_known: int) -> Search | None:
    """Who chooses the points; None where they are known."""
    if study.search != "optuna":
        return None
    try:
        from rlkit.sweep.search import OptunaSearch  # here, as not everybody has Optuna
    except ModuleNotFoundError as error:
        raise UserError(f"search: Optuna is missing ({error.name}): pip install 'pearl-meta-rl[sweep]'") from None
    return OptunaSearch(study, num_known)
