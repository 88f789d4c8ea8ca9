"""TaskFamily: a MetaEnv whose tasks are plain numbers, drawn once and checked; a family adds what they mean.

A family subclasses it (or `MujocoMetaEnv`) and writes observation, reward, termination and task distribution once,
vectorised over the lanes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.base import MetaEnv
from envs.types import Frame, IndexArray, Rng, Task

DEFAULT_TASK_SEED = 1337


class TaskFamily(MetaEnv):
    """Lanes whose task is a `Task`; what a task says is at hand as arrays over the lanes, `task_value(name)`.

    Attributes:
        tasks: the task set, one `Task` per index.
    """

    tasks: list[Task]

    def __init__(
        self,
        num_envs: int = 1,
        *,
        n_tasks: int = 2,
        randomize_tasks: bool = True,
        task_seed: int = DEFAULT_TASK_SEED,
        tasks: Sequence[Task] | None = None,
        num_threads: int = 0,
        **kwargs: Any,
    ) -> None:
        """Build the lanes and draw the task set.

        Args:
            num_envs: number of lanes.
            n_tasks: number of tasks to draw.
            randomize_tasks: draw tasks at random; otherwise take the family's evenly spaced set, in order.
            task_seed: seed of the draw; the tasks depend on nothing else.
            tasks: take these tasks instead of drawing any.
            num_threads: worker threads of a family with physics; 0 takes every CPU that the process may use.
            kwargs: as `MetaEnv`.

        Raises:
            ValueError: as `MetaEnv`, no task at all, or tasks that the family does not have.
        """
        super().__init__(num_envs, **kwargs)
        self._build(num_threads)
        self._task_arrays: dict[str, NDArray[Any]] = {}
        self._task_values: dict[str, NDArray[Any]] = {}
        self.set_task_list(self._draw_tasks(n_tasks, randomize_tasks, task_seed) if tasks is None else tasks)

    @abstractmethod
    def _build(self, num_threads: int) -> None:
        """Make what the lanes are simulated with."""

    @abstractmethod
    def _draw_lane(self, lane: int) -> Frame:
        """Picture of one lane, (height, width, 3)."""

    @abstractmethod
    def sample_tasks(self, num_tasks: int, rng: Rng) -> list[Task]:
        """Draw `num_tasks` tasks from the family's distribution with `rng`."""

    @abstractmethod
    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """`num_tasks` tasks spread evenly over the family's range, in order.

        Raises:
            ValueError: the family has no such set.
        """

    def _check_task(self, task: Mapping[str, NDArray[Any]]) -> None:
        """Look at one task of the right names and shapes.

        Raises:
            ValueError: a value that the family's distribution cannot give.
        """

    def _draw_tasks(self, n_tasks: int, randomize_tasks: bool, task_seed: int) -> list[Task]:
        if n_tasks < 1:
            raise ValueError(f"n_tasks must be at least 1, got {n_tasks}")
        if randomize_tasks:
            return self.sample_tasks(n_tasks, np.random.RandomState(task_seed))
        return self.spaced_tasks(n_tasks)

    def set_task_list(self, tasks: Sequence[Task]) -> None:
        """Replace the task set; lane i gets task i modulo the number of tasks.

        Raises:
            ValueError: no task, or a task whose names, shapes or values the family does not have.
        """
        if not tasks:
            raise ValueError("the task list is empty")
        template = self.sample_tasks(1, np.random.RandomState(0))[0]
        entries = [self._checked_task(i, task, template) for i, task in enumerate(tasks)]
        self._task_arrays = {name: np.array([entry[name] for entry in entries]) for name in template}
        self.tasks = [dict(task) for task in tasks]
        self.lane_tasks[:] = 0
        self._task_values = {name: values[self.lane_tasks] for name, values in self._task_arrays.items()}
        self.set_tasks(np.arange(self.num_envs) % len(tasks))

    def _checked_task(self, index: int, task: Mapping[str, Any], template: Task) -> dict[str, NDArray[Any]]:
        entry = {name: _task_entry(index, task, name, template) for name in template}
        try:
            self._check_task(entry)
        except ValueError as error:
            raise ValueError(f"task {index}: {error}") from None
        return entry

    def _draw_lanes(self) -> Sequence[Frame]:
        return [self._draw_lane(lane) for lane in range(self.num_envs)]

    def _tasks_changed(self, lanes: IndexArray) -> None:
        for name, values in self._task_arrays.items():
            self._task_values[name][lanes] = values[self.lane_tasks[lanes]]

    def task_value(self, name: str) -> NDArray[Any]:
        """Entry `name` of each lane's task, (num_envs, ...)."""
        return self._task_values[name]


def require_within(name: str, value: NDArray[Any] | float, low: float, high: float, unit: str = "") -> None:
    """Require `low <= value <= high` for every number of a task's entry.

    Raises:
        ValueError: a number outside, beyond rounding.
    """
    margin = 1e-6 * abs(high)
    numbers = np.asarray(value)
    if (numbers < low - margin).any() or (numbers > high + margin).any():
        raise ValueError(f"{name} must be within {low} and {high}{unit}, got {value}")


def _task_entry(index: int, task: Mapping[str, Any], name: str, template: Task) -> NDArray[Any]:
    if not isinstance(task, Mapping) or set(task) != set(template):
        names = sorted(task) if isinstance(task, Mapping) else repr(task)
        raise ValueError(f"task {index} has the entries {names}, expected {sorted(template)}")
    expected = np.asarray(template[name], dtype=np.float64)
    try:
        value = np.asarray(task[name], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"task {index}: {name} is not made of numbers: {task[name]!r}") from None
    if value.shape != expected.shape:
        raise ValueError(f"task {index}: {name} has shape {value.shape}, expected {expected.shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"task {index}: {name} is not finite: {task[name]}")
    return value
