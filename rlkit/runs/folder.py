"""The folder of a run: its name, and the files that say what was run."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rlkit.config.files import MAY_CHANGE_ON_RESUME, differences, flat, load_config
from rlkit.config.rules import shown
from rlkit.config.settings import Config
from rlkit.runs.evaluation import Evaluation, read_evaluation
from rlkit.runs.lock import LOCK_FILE, is_locked, locked
from rlkit.runs.progress import ProgressFile
from rlkit.util.errors import UserError
from rlkit.util.files import digest, open_regular, read_json, user_path, write_json
from rlkit.util.machine import versions

if TYPE_CHECKING:
    import torch

MAX_RADIUS, MAX_NUMBER = 1e6, 1e15  # larger ones are damage
DOCKER_LOG_DIR = "/mounts/output"
DEBUG_NAME = "debug"
VARIANT_FILE = "variant.json"
TASKS_FILE = "tasks.json"
VERSIONS_FILE = "versions.json"
ACTION_RANGE = "action_range"  # in tasks.json
STATUS_FILE = "status.json"
PROGRESS_FILE = "progress.csv"
EVALUATION_FILE = "evaluation.npz"
FILM_FOLDER = "videos"
LATEST = "latest"
BEFORE_THE_FIRST_ROW = (
    VARIANT_FILE,
    TASKS_FILE,
    STATUS_FILE,
    PROGRESS_FILE,
    VERSIONS_FILE,
    "debug.log",
    LOCK_FILE,
    "checkpoints",
    "experience.journal",
    "events.out.tfevents.*",
    ".*.tmp",
)
"""What a run may have written, by name or pattern, before its first iteration is complete."""


class Status(NamedTuple):
    """What a run says of itself."""

    state: str = "unknown"  # or running, finished, interrupted, failed
    iteration: int = 0  # iterations that are complete
    updated: float = 0.0  # unix seconds of the last sign of life, 0 if there was none


@dataclass(frozen=True)
class RunFolder:
    """What a run leaves on disk: the one place that knows the files' names and what they mean."""

    path: Path

    @property
    def config(self) -> Config:
        """What was run, with every default spelled out.

        Raises:
            UserError: variant.json is missing, damaged or of no config.
        """
        return load_config(self.path / VARIANT_FILE)

    def require_own_settings(self) -> list[str]:
        """See that variant.json says what the run began with, but for what may change in its course.

        By the copy in versions.json; of a run of an earlier version, or where that copy is damaged, all is taken.

        Returns:
            The settings that were edited and may be, each with both values.

        Raises:
            UserError: another setting was edited, or the file is damaged.
        """
        settings, found = self._began().get("settings"), read_json(self.path / VARIANT_FILE)
        if not isinstance(settings, dict) or not isinstance(found, dict):
            return []
        taken = []
        for key, began, now in differences(settings, found):
            if key not in MAY_CHANGE_ON_RESUME:
                raise UserError(
                    f"{self.path / VARIANT_FILE}: {key} is {shown(now)}, but the run began with {shown(began)}:"
                    f" the file was edited or damaged; put it back, or begin a run with --set {key}={shown(now)}"
                )
            taken.append(f"{key} is {shown(now)} in {VARIANT_FILE}, was {shown(began)}")
        return taken

    def require_own_tasks(self) -> None:
        """See that tasks.json is what the run wrote.

        Raises:
            UserError: it was edited or damaged.
        """
        began = self._began().get("tasks_sha256")
        if began is not None and began != digest(read_json(self.path / TASKS_FILE)):
            raise UserError(f"{self.path / TASKS_FILE} was edited or damaged: it is not what the run wrote")

    def _began(self) -> dict[str, Any]:
        """What versions.json keeps of how the run began; nothing where it is damaged."""
        found = self._json(VERSIONS_FILE)
        began = found.get("began")
        return began if isinstance(began, dict) and found.get("began_sha256") == digest(began) else {}

    @property
    def status(self) -> Status:
        """How far the run is by status.json; what is missing or damaged says nothing."""
        found = self._json(STATUS_FILE)
        if found.pop("sha256", digest(found)) != digest(found):
            return Status()
        state, iteration, updated = (found.get(name) for name in Status._fields)
        state = state if isinstance(state, str) else "unknown"
        return Status(state, int(_number(iteration) or 0), _number(updated) or 0.0)

    @property
    def is_running(self) -> bool:
        return is_locked(self.path)

    def rows(self) -> list[dict[str, float]]:
        """The complete rows of progress.csv by column, without cells that are empty or no number; none if damaged."""
        file = ProgressFile(self.path / PROGRESS_FILE)
        file.refresh()
        file.load(file.columns)
        columns = [file.column(name).tolist() for name in file.columns]
        rows = (zip(file.columns, cells, strict=True) for cells in zip(*columns, strict=True))
        return [{name: value for name, value in row if not math.isnan(value)} for row in rows]

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The task set; empty where tasks.json is missing or damaged."""
        tasks = self._json(TASKS_FILE).get("tasks")
        return [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []

    @property
    def rewarded_radius(self) -> float | None:
        """Around a goal, where the family's sparse reward is not zero; None without one."""
        radius = _number(self._json(TASKS_FILE).get("rewarded_radius"))
        return radius if radius is not None and 0 < radius < MAX_RADIUS else None

    @property
    def action_range(self) -> Any:
        """Lowest and highest action of the environment as tasks.json has them, unchecked; None where it has not."""
        return self._json(TASKS_FILE).get(ACTION_RANGE)

    def _json(self, name: str) -> dict[str, Any]:
        """The object in a file; an empty one where it is missing or damaged."""
        found = read_json(self.path / name)
        return found if isinstance(found, dict) else {}

    def evaluation(self) -> Evaluation | None:
        """The last evaluation on unseen tasks; None where it is missing, half written or of another form."""
        return read_evaluation(self.path / EVALUATION_FILE)

    def unreadable_files(self) -> list[str]:
        """What is there of evaluation.npz and tasks.json and cannot be used, one line each."""
        missing = {EVALUATION_FILE: self.evaluation() is None, TASKS_FILE: not self.tasks}
        return [
            f"{name}: damaged, or no such file at all"
            for name, is_missing in missing.items()
            if is_missing and os.path.lexists(self.path / name)
        ]

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """The parameters of a network, as "policy", by name, on the CPU.

        Raises:
            UserError: the file is missing, damaged or no file of weights.
        """
        from rlkit.torch.sac.weights import read_weights

        return read_weights(self.path, name)

    def require_tasks(self, tasks: Sequence[dict[str, Any]]) -> None:
        """See that a run has the tasks that it had when it began.

        Raises:
            UserError: it has others: its results would mix two task sets.
        """
        try:
            saved = json.loads((self.path / TASKS_FILE).read_text(encoding="utf-8"))["tasks"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"cannot read {self.path / TASKS_FILE}: {error}") from None
        if saved != json.loads(json.dumps(list(tasks))):
            raise UserError(f"the environment draws other tasks now than those in {self.path / TASKS_FILE}")

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end; one that was killed behind its last iteration did not."""
        return self.status.state == "finished"

    @property
    def has_iterations(self) -> bool:
        """Whether an iteration is complete: then the folder holds results, and is never started over."""
        if self.is_finished or self.status.iteration > 0:
            return True
        try:
            with open_regular(self.path / PROGRESS_FILE) as file:
                return file.read().count(b"\n") > 1
        except FileNotFoundError:
            return False

    @property
    def may_start_over(self) -> bool:
        """Whether nothing is there but what a run leaves that came to no iteration."""
        return not self.has_iterations and all(map(_is_early, self.path.iterdir()))

    def clear(self) -> None:
        """Remove what a run left that came to no iteration, but for its lock."""
        for entry in self.path.iterdir():
            if entry.name == LOCK_FILE or not _is_early(entry):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _is_early(entry: Path) -> bool:
    """Whether a run may have written this before its first iteration was complete."""
    return any(fnmatchcase(entry.name, pattern) for pattern in BEFORE_THE_FIRST_ROW)


def results_folder(config: Config) -> Path:
    """Where runs with this config write, by environment and name."""
    util = config.util_params
    return user_path(DOCKER_LOG_DIR if util.docker else util.base_log_dir)


def env_folder(config: Config) -> Path:
    return results_folder(config) / config.env_name.replace(":", ".")


def is_folder_name(text: str) -> bool:
    """Whether `text` names a folder within another, and no other place."""
    return text not in ("", ".", "..") and Path(text).name == text


def create_folder(config: Config, name: str | None) -> RunFolder:
    """Make the folder of a new run, `base_log_dir/[ENV]/[EXP]`; no folder with results is ever used twice.

    Args:
        config: the experiment; a debug run goes to the folder `debug`, in place of the debug run before.
        name: the folder's name, or GROUP/NAME for one of several runs that belong together; None takes date and time.

    Raises:
        UserError: `name` is taken or is no folder name, or the place cannot be written to.
    """
    util = config.util_params
    parent = env_folder(config)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if util.debug and name is None:
            _remove_debug_run(parent / DEBUG_NAME)
            name = DEBUG_NAME
        return RunFolder(_create_dated(parent) if name is None else _create_named(parent, name))
    except OSError as error:
        raise UserError(f"cannot write results to {parent}: {error.strerror}") from None
    except ValueError as error:  # a path with a zero in it
        raise UserError(f"cannot write results to {parent}: {error}") from None


def _create_named(parent: Path, name: str) -> Path:
    parts = name.split("/")
    if len(parts) > 2 or not all(map(is_folder_name, parts)):
        raise UserError(f"--name {name}: should be the name of a folder, or GROUP/NAME")
    folder = parent / name
    if len(parts) > 1:
        if (folder.parent / VARIANT_FILE).exists():
            raise UserError(f"--name {name}: {folder.parent} is a run itself; choose another name")
        folder.parent.mkdir(exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir() or not RunFolder(folder).may_start_over:
            raise UserError(f"--name {name}: {folder} exists already; choose another name") from None
    return folder


def _create_dated(parent: Path) -> Path:
    stamp = datetime.now().strftime("%Y_%m_%d_%H_%M_%S")
    folder, number = parent / stamp, 1
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = parent / f"{stamp}-{number}"


def _remove_debug_run(folder: Path) -> None:
    if not folder.exists():
        return
    if not (folder / VARIANT_FILE).is_file() and not RunFolder(folder).may_start_over:
        raise UserError(f"{folder} is in the way of a debug run and does not look like one; move it elsewhere")
    with locked(folder):
        shutil.rmtree(folder)


def find_run(name: str, base: Path = Path("output")) -> RunFolder:
    """The folder of a run to go on with: `name` itself, or the run below `base` that wrote last, for 'latest'.

    Raises:
        UserError: there is no such run.
    """
    if name == LATEST:
        runs = [path.parent for depth in ("*/*", "*/*/*") for path in base.glob(f"{depth}/{VARIANT_FILE}")]
        if not runs:
            raise UserError(f"--resume {LATEST}: there is no run below {base}")
        return RunFolder(max(runs, key=lambda run: max(file.stat().st_mtime for file in run.iterdir())))
    folder = user_path(name)
    if not (folder / VARIANT_FILE).is_file():
        raise UserError(
            f"--resume {name}: no run there, it has no {VARIANT_FILE}; a new one starts with CONFIG and --name"
        )
    return RunFolder(folder)


def describe_run(
    folder: Path,
    config: Config,
    tasks: Sequence[dict[str, Any]],
    action_range: Sequence[Any],
    device: str,
    rewarded_radius: float | None = None,
) -> None:
    """Write variant.json (the resolved config), tasks.json (the drawn tasks) and versions.json.

    `action_range` is the environment's lowest and highest action as nested lists, `rewarded_radius` where around a
    goal the family's sparse reward is not zero.
    """
    task_set: dict[str, Any] = {
        "train_tasks": list(config.train_tasks),
        "eval_tasks": list(config.test_tasks),
        "tasks": list(tasks),
        ACTION_RANGE: list(action_range),
    }
    if rewarded_radius is not None:
        task_set["rewarded_radius"] = rewarded_radius
    began = {"settings": flat(config.model_dump()), "tasks_sha256": digest(task_set)}
    write_json(folder / VARIANT_FILE, config.model_dump())
    write_json(folder / TASKS_FILE, task_set)
    checked = {"began": began, "began_sha256": digest(began)}
    write_json(folder / VERSIONS_FILE, {"device": device, **versions(), **checked})


def _number(value: Any) -> float | None:
    """What JSON gave, where it is a number that a run can have written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MAX_NUMBER
    return float(value) if is_number else None
