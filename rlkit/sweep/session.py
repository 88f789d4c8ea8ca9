"""A study under way: its folder, its runs and how they stand, and the search that is told of them."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlkit.config.files import MAY_CHANGE_ON_RESUME, changed_config, flat
from rlkit.config.rules import shown
from rlkit.config.settings import Config
from rlkit.launchers.runs import Run
from rlkit.runs.folder import PROGRESS_FILE, env_folder
from rlkit.runs.progress import ProgressFile
from rlkit.sweep.launch import Outcome, Row, State, rows_with_value
from rlkit.sweep.study import Settings, Study
from rlkit.sweep.table import Entry, Point, TableRow, read_table, write_table
from rlkit.sweep.work import Work
from rlkit.util.errors import UserError
from rlkit.util.files import read_json, write_json
from rlkit.viz.run_reader import STUDY_FILE
from rlkit.viz.stats import final_value

if TYPE_CHECKING:
    from rlkit.sweep.search import OptunaSearch

BASE_FILE, TABLE_FILE = "base.json", "study.csv"
ENDED: tuple[State, ...] = ("finished", "stopped", "refused")  # what a study that goes on does not run again


class Session(Work):
    """The study's runs, point by point; a run that ended in an earlier session is not repeated.

    Attributes:
        folder: of the study: its runs lie in it.
        entries: the runs known so far, in their order.
        on_change, on_row: are told of a run that has another state, or a new row.
    """

    def __init__(self, study: Study, base: Config, name: str, *, resumes: bool) -> None:
        """Read how far the study is; nothing is written before the first run is asked for.

        Raises:
            UserError: its folder is taken, cannot be written, or is that of another study; a point cannot work; or
                Optuna is not there.
        """
        self.study, self.base = study, base
        self.folder = env_folder(base).absolute() / name
        self.on_change: Callable[[Entry], None] = lambda entry: None
        self.on_row: Callable[[Entry], None] = lambda entry: None
        self._has_begun = False
        if resumes:
            self._require_same_study()
        else:
            self._require_new_folder()
        table = read_table(self.folder / TABLE_FILE, list(study.space)) if resumes else []
        num_known = len(table) // study.seeds
        self._search = _search(study, num_known)
        self.entries: list[Entry] = []
        if self._search is None:
            for settings in study.settings():
                self._add(settings)
            self._require_possible_points()
        else:
            for row in table[:: study.seeds][:num_known]:
                self._add(row.settings)
        self._recall(table)
        self._waiting = deque(entry for entry in self.entries if entry.state == "waiting")

    # ---- what the engine asks and tells ------------------------------------------------------------------

    def next(self) -> Run | None:
        if not self._has_begun:
            self._begin()
        while not self._waiting:
            number = len(self.entries) // self.study.seeds
            if self._search is None or number >= self.study.num_points:
                return None
            self._add(self._search.ask(number))
            self._waiting += [entry for entry in self._seeds_of(number) if entry.state == "waiting"]
            self._tell_search(number)
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
        self._change(self._entry(run), "running")

    def began(self, run: Run, iterations: int) -> None:
        self._entry(run).iteration = iterations

    def row(self, run: Run, row: Row) -> None:
        entry = self._entry(run)
        entry.iteration, entry.value = row
        self.on_row(entry)

    def lost(self, run: Run) -> None:
        entry = self._entry(run)
        entry.message = f"was killed after iteration {entry.iteration} and taken on again"
        self._change(entry, "running")

    def ended(self, run: Run, outcome: Outcome) -> None:
        entry = self._entry(run)
        entry.message = " ".join(outcome.message.split()) or entry.message
        self._read_value(entry)
        self._change(entry, outcome.state)
        self._tell_search(entry.point.number)

    def settled(self, run: Run) -> None:
        entry = self._entry(run)
        self._read_value(entry)
        if run.is_finished:
            entry.state = "finished"
        self.save()

    def _entry(self, run: Run) -> Entry:
        number, _, seed = run.name.partition("-s")
        return self.entries[int(number) * self.study.seeds + int(seed)]

    def _change(self, entry: Entry, state: State) -> None:
        entry.state = state
        self.save()
        self.on_change(entry)

    # ---- files -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Make the study's folder, and write what is to be known of it."""
        self._has_begun = True
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / BASE_FILE, self.base.model_dump())
        write_json(self.folder / STUDY_FILE, self._description())
        self.save()

    def save(self) -> None:
        """Write study.csv."""
        write_table(self.folder / TABLE_FILE, list(self.study.space), self.entries)

    def _progress(self, entry: Entry) -> ProgressFile:
        progress = ProgressFile(entry.run.folder / PROGRESS_FILE, ("Epoch", self.study.metric))
        progress.refresh()
        return progress

    def _read_value(self, entry: Entry) -> None:
        progress = self._progress(entry)
        entry.iteration, entry.value = progress.num_rows, final_value(progress.column(self.study.metric))

    def _description(self) -> dict[str, Any]:
        base = flat(self.base.model_dump())
        study = self.study.model_dump(exclude_none=True, exclude={"base"})
        return {"study": study, "base": {key: base[key] for key in base if key not in MAY_CHANGE_ON_RESUME}}

    def _require_new_folder(self) -> None:
        own_files = {STUDY_FILE, BASE_FILE, TABLE_FILE}  # all there is where no run began
        if self.folder.exists() and {path.name for path in self.folder.iterdir()} - own_files:
            raise UserError(f"{self.folder} exists already: go on with it by --resume, or choose another --name")
        above = next(folder for folder in self.folder.parents if folder.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise UserError(f"cannot write results to {above}")

    def _require_same_study(self) -> None:
        there = read_json(self.folder / STUDY_FILE)
        if not isinstance(there, dict):
            raise UserError(f"--resume: there is no study in {self.folder}")
        for part, own in json.loads(json.dumps(self._description())).items():
            if there.get(part) != own:
                raise UserError(f"--resume: {self.folder} is another study: {_difference(there.get(part), own)}")

    # ---- points ------------------------------------------------------------------------------------------

    def _add(self, settings: Settings) -> None:
        """The next point, a run of it with each seed; they are refused where its config cannot work."""
        point = Point(len(self.entries) // self.study.seeds, settings)
        state: State = "waiting"
        num_iterations, message = 0, ""
        try:
            num_iterations = changed_config(self.base, settings).algo_params.num_iterations
        except UserError as error:
            state, message = "refused", str(error)
        texts = tuple(f"{key}={json.dumps(value)}" for key, value in settings.items())
        for seed in range(self.study.seeds):
            folder = self.folder / f"{point.number:03}-s{seed}"
            run = Run(self.folder / BASE_FILE, seed, folder, num_iterations, texts, group=self.folder.name)
            self.entries.append(Entry(point, seed, run, state, message=message))

    def _require_possible_points(self) -> None:
        """See that the study can work.

        Raises:
            UserError: a grid has a point that a rule refuses, or every one that was drawn.
        """
        refused = [entry.message for entry in self.entries if entry.state == "refused"]
        if refused and (not self.study.is_drawn or len(refused) == len(self.entries)):
            raise UserError(f"space: {refused[0]}")

    def _seeds_of(self, number: int) -> list[Entry]:
        """The runs of a point."""
        return self.entries[number * self.study.seeds :][: self.study.seeds]

    def _tell_search(self, number: int) -> None:
        """Tell the search what a point came to, once all its seeds have ended."""
        seeds = self._seeds_of(number)
        if self._search is not None and all(entry.state in (*ENDED, "failed") for entry in seeds):
            self._search.tell(number, _mean(seeds))

    def _recall(self, rows: Sequence[TableRow]) -> None:
        """Take the runs as the earlier session left them: their folders say how far, the table what was decided."""
        for entry, row in zip(self.entries, rows, strict=False):
            if entry.state == "refused":
                continue
            self._read_value(entry)
            if row.state == "stopped":
                entry.state = "stopped"
            elif entry.run.is_finished:
                entry.state = "finished"
        if self._search is not None:
            for number in range(len(self.entries) // self.study.seeds):
                seeds = self._seeds_of(number)
                self._search.recall(number, seeds[0].point.settings)
                if all(entry.state in ENDED for entry in seeds):
                    self._search.tell(number, _mean(seeds))


def _mean(seeds: Iterable[Entry]) -> float | None:
    """Of the values of one point's runs; None where none came to anything."""
    values = [entry.value for entry in seeds if entry.state in ENDED and math.isfinite(entry.value)]
    return sum(values) / len(values) if values else None


def _difference(there: Any, own: Mapping[str, Any]) -> str:
    """The first thing in which two descriptions differ."""
    found = there if isinstance(there, dict) else {}
    key = next(key for key in sorted({*found, *own}) if found.get(key) != own.get(key))
    return f"its {key} is {shown(found.get(key))}, this one's {shown(own.get(key))}"


def _search(study: Study, num_known: int) -> OptunaSearch | None:
    """Who chooses the points; None where they are known."""
    if study.search != "optuna":
        return None
    try:
        from rlkit.sweep.search import OptunaSearch  # here, as not everybody has Optuna
    except ModuleNotFoundError as error:
        raise UserError(f"search: Optuna is missing ({error.name}): pip install 'pearl-meta-rl[sweep]'") from None
    return OptunaSearch(study, num_known)
