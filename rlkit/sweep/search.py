"""OptunaSearch: points that Optuna chooses, each told once, by the mean over its seeds.

Optuna is asked itself: Ray's wrapper of it knows one value per trial, and its `Repeater`, which pools trials, forgets
its groups when the driver dies.
"""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial, TrialState

from rlkit.sweep.study import Axis, Settings, Study


class OptunaSearch:
    """Optuna's tree-structured Parzen estimator over a study's space."""

    def __init__(self, study: Study, num_known: int) -> None:
        """Nothing is chosen yet; `num_known` points of an earlier session will be recalled."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = study.search_seed + num_known  # or the points to come would begin as the earlier session's did
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)  # points run side by side
        self._study = optuna.create_study(
            direction="maximize" if study.mode == "max" else "minimize", sampler=sampler
        )
        self._space = study.space
        self._distributions = {key: _distribution(axis) for key, axis in study.space.items()}
        self._open: dict[int, Trial] = {}

    def ask(self, number: int) -> Settings:
        """The settings of the point of this number."""
        trial = self._open[number] = self._study.ask(self._distributions)
        chosen = trial.params
        return {key: axis.values[chosen[key]] if axis.values else chosen[key] for key, axis in self._space.items()}

    def tell(self, number: int, value: float | None) -> None:
        """What a point came to: the mean over its seeds; None where none came to anything."""
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        self._study.tell(self._open.pop(number), value, state)

    def recall(self, number: int, settings: Settings) -> None:
        """Ask again for a point of an earlier session."""
        params = {
            key: axis.values.index(settings[key]) if axis.values else settings[key]
            for key, axis in self._space.items()
        }
        self._study.enqueue_trial(params)
        self.ask(number)


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.values is not None:
        return CategoricalDistribution(range(len(axis.values)))  # Optuna knows no lists as choices
    low, high = axis.bounds
    if axis.is_whole:
        return IntDistribution(int(low), int(high), log=axis.is_log)
    return FloatDistribution(low, high, log=axis.is_log)
