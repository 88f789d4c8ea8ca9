"""OptunaSearch: points that Optuna chooses, each told once, by the mean over its seeds.

Optuna is asked itself: Ray's wrapper of it knows one value per trial, and its `Repeater`, which pools trials, forgets
its groups when the driver dies.
"""

from __future__ import annotations

from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial, TrialState, create_trial

from rlkit.sweep.points import Settings
from rlkit.sweep.study import Axis, Study


class OptunaSearch:
    """Optuna's tree-structured Parzen estimator over a study's space; see `rlkit.sweep.session.Search`."""

    def __init__(self, study: Study, num_known: int) -> None:
        """Nothing is chosen yet; `num_known` points of an earlier session will be recalled."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = study.search_seed + num_known  # or the points to come would begin as the earlier session's did
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)  # points run side by side
        direction: Literal["maximize", "minimize"] = "maximize" if study.mode == "max" else "minimize"
        self._study = optuna.create_study(direction=direction, sampler=sampler)
        self._space = study.space
        self._distributions = {key: _distribution(axis) for key, axis in study.space.items()}
        self._open: dict[int, Trial] = {}

    def ask(self, number: int) -> Settings:
        trial = self._open[number] = self._study.ask(self._distributions)
        found: Settings = {}
        for key, axis in self._space.items():
            chosen = trial.params[key]
            found[key] = chosen if axis.values is None else axis.values[chosen]
        return found

    def tell(self, number: int, value: float | None) -> None:
        trial = self._open.pop(number)
        self._study.tell(trial, value, TrialState.FAIL if value is None else TrialState.COMPLETE)

    def recall(self, number: int, settings: Settings, value: float | None, *, has_ended: bool) -> None:
        params: dict[str, Any] = {}
        for key, axis in self._space.items():
            params[key] = settings[key] if axis.values is None else axis.values.index(settings[key])
        if not has_ended:
            self._study.enqueue_trial(params)
            self._open[number] = self._study.ask(self._distributions)
            return
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        self._study.add_trial(
            create_trial(state=state, value=value, params=params, distributions=self._distributions)
        )


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.values is not None:
        return CategoricalDistribution(range(len(axis.values)))  # Optuna knows no lists as choices
    low, high = axis.bounds
    if axis.is_whole:
        return IntDistribution(int(low), int(high), log=axis.is_log)
    return FloatDistribution(low, high, log=axis.is_log)
