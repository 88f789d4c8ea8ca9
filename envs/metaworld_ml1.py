"""Meta-World's ML1: one manipulation skill, 50 goals to train and 50 to test on. Needs the package `metaworld`.

`metaworld` asks for an older MuJoCo than the native families run on, but works with theirs; docs/environments.md
has the install command.
"""

from __future__ import annotations

import pickle
import warnings
from functools import cache
from typing import Any

import gymnasium

INSTALL = "pip install imageio packaging scipy && pip install --no-deps metaworld==3.1.1"
VERSION_SUFFIX = "-v3"


class ML1(gymnasium.Wrapper[Any, Any, Any, Any]):
    """One skill; the first half of the tasks are ML1's training goals, the second half its test goals.

    As the benchmark has it the goal is hidden from the observation. `info["success"]` is 1 where it is reached.
    Meta-World's own limit is 500 steps.
    """

    def __init__(self, skill: str, n_tasks: int = 100, task_seed: int = 1337, render_mode: str | None = None) -> None:
        """Build the benchmark, its goals drawn with `task_seed`.

        Of `n_tasks`, 2 to 100, an odd one is a training goal. `skill` is as in "reach", "push", "pick-place".

        Raises:
            ValueError: no such skill, too many tasks, or Meta-World is not installed.
        """
        benchmark = _benchmark(skill, task_seed)
        num_test = n_tasks // 2
        halves = [(benchmark.train_tasks, n_tasks - num_test), (benchmark.test_tasks, num_test)]
        if any(wanted > len(half) for half, wanted in halves):
            available = sum(len(half) for half, _ in halves)
            raise ValueError(f"n_tasks must be at most {available}, the goals of ML1, got {n_tasks}")
        self._goals = [goal for half, wanted in halves for goal in half[:wanted]]
        self.tasks = [{"rand_vec": pickle.loads(goal.data)["rand_vec"].tolist()} for goal in self._goals]
        super().__init__(benchmark.train_classes[skill + VERSION_SUFFIX](render_mode=render_mode))
        self.reset_task(0)

    def reset_task(self, index: int) -> None:
        """Change to task `index`; reset next."""
        self.env.set_task(self._goals[index])  # type: ignore[attr-defined]


@cache
def _benchmark(skill: str, seed: int) -> Any:
    """ML1 of a skill. Made once per process: drawing its goals takes a second."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own deprecations
            import metaworld
    except ModuleNotFoundError as error:
        raise ValueError(f"Meta-World is not installed ({error}): {INSTALL}") from None
    known = [name.removesuffix(VERSION_SUFFIX) for name in metaworld.ML1.ENV_NAMES]
    if skill not in known:
        raise ValueError(f"Meta-World has no skill '{skill}'; choose one of {', '.join(sorted(known))}")
    return metaworld.ML1(skill + VERSION_SUFFIX, seed=seed)
