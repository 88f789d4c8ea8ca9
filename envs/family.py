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
from envs.types import FloatArray, Frame, IndexArray, Task, TaskArrays

DEFAULT_TASK_SEED = 1337


class TaskFamily(MetaEnv):
    """Lanes whose task is a `Task`; what a task says is at hand as arrays over the lanes, `task_value(name)`.

    Attributes:
        tasks: the task set, one `Task` per index.
        state_dim: how many numbers an episode starts from, per lane.
    """

    tasks: list[Task]
    state_dim: int

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
        if tasks is None:
            if n_tasks < 1:
                raise ValueError(f"n_tasks must be at least 1, got {n_tasks}")
            rng = np.random.RandomState(task_seed)
            tasks = self.sample_tasks(n_tasks, rng) if randomize_tasks else self.spaced_tasks(n_tasks)
        self.set_task_list(tasks)

    @abstractmethod
    def _build(self, num_threads: int) -> None:
        """Make what the lanes are simulated with."""

    @abstractmethod
    def _sample_start(self, num_lanes: int) -> FloatArray:
        """Draw states (num_lanes, state_dim) of new episodes."""

    @abstractmethod
    def _start_at(self, lanes: IndexArray, states: FloatArray) -> None:
        """Put `lanes` into `states` (lanes, state_dim)."""

    @abstractmethod
    def _draw_lane(self, lane: int) -> Frame:
        """Picture of one lane, (height, width, 3)."""

    @abstractmethod
    def spaced_tasks(self, num_tasks: int) -> list[Task]:
        """`num_tasks` tasks spread evenly over the family's range, in order.

        Raises:
            ValueError: the family has no such set.
        """

    def _check_task(self, task: TaskArrays) -> None:
        """Look at one task of the right names and shapes.

        Raises:
            ValueError: a value that the family's distribution cannot give.
        """

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
        self.set_tasks(np.arange(self.num_envs) % len(tasks))

    def _checked_task(self, index: int, task: Mapping[str, Any], template: Task) -> TaskArrays:
        if not isinstance(task, Mapping) or set(task) != set(template):
            names = sorted(task) if isinstance(task, Mapping) else repr(task)
            raise ValueError(f"task {index} has the entries {names}, expected {sorted(template)}")
        try:
            entry = {name: _numbers(name, task[name], np.shape(example)) for name, example in template.items()}
            self._check_task(entry)
        except ValueError as error:
            raise ValueError(f"task {index}: {error}") from None
        return entry

    def _tasks_changed(self, lanes: IndexArray) -> None:
        self._task_values = {name: values[self.lane_tasks] for name, values in self._task_arrays.items()}

    def task_value(self, name: str) -> NDArray[Any]:
        """Entry `name` of each lane's task, (num_envs, ...)."""
        return self._task_values[name]

    def _reset_lanes(self, lanes: IndexArray, start_states: FloatArray | None) -> None:
        if start_states is None:
            start_states = self._sample_start(len(lanes))
        if start_states.shape != (len(lanes), self.state_dim):
            expected = (len(lanes), self.state_dim)
            raise ValueError(f"start_states must have shape {expected}, got {start_states.shape}")
        if not np.isfinite(start_states).all():
            raise ValueError("start_states must be finite")
        self._start_at(lanes, start_states)

    def _draw_lanes(self) -> Sequence[Frame]:
        return [self._draw_lane(lane) for lane in range(self.num_envs)]


def require_within(name: str, value: NDArray[Any] | float, low: float, high: float, unit: str = "") -> None:
    """Require `low <= value <= high` for every number of a task's entry.

    Raises:
        ValueError: a number outside, beyond rounding.
    """
    margin = 1e-6 * abs(high)
    numbers = np.asarray(value)
    if (numbers < low - margin).any() or (numbers > high + margin).any():
        raise ValueError(f"{name} must be within {low} and {high}{unit}, got {value}")


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    """Entry `name` of a task as an array of `shape`."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not made of numbers: {value!r}") from None
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite: {value}")
    return array
