"""TrainingStep: draws the batches of a gradient step, runs the update, and gathers the statistics of an iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from rlkit.core.config import AlgoParams
from rlkit.core.records import Batch, IndexArray
from rlkit.torch.sac.pearl import Metrics, Noise, PEARLTrainer

PREDICTIONS = ("Q Predictions", "V Predictions", "Log Pis", "Policy mu", "Policy log std")


class Replay(Protocol):
    """Where transitions for actor and critics are drawn from."""

    def sample(self, tasks: Tensor, num: int, generator: torch.Generator) -> Batch:
        """`num` transitions of each of `tasks`."""


class ContextSource(Protocol):
    """Where transitions for the encoder are drawn from."""

    def __call__(self, tasks: Tensor, generator: torch.Generator) -> Tensor:
        """A context for each of `tasks`, (tasks, context, context_dim)."""


class TrainingStep:
    """The training phase: gradient steps on batches of `meta_batch` tasks, no host-device synchronisation between."""

    def __init__(
        self,
        trainer: PEARLTrainer,
        replay: Replay,
        draw_context: ContextSource,
        train_tasks: IndexArray,
        params: AlgoParams,
        generator: torch.Generator,
    ) -> None:
        """`generator` (on the training device) draws tasks, transitions and the update's noise."""
        self.trainer = trainer
        self._replay = replay
        self._draw_context = draw_context
        self._train_tasks = torch.from_numpy(train_tasks).to(trainer.agent.device)
        self._params = params
        self._generator = generator

    def seed(self, seed: int) -> None:
        """Start the random stream afresh."""
        self._generator.manual_seed(seed)

    def run(self, num_steps: int, progress: Callable[[int], None]) -> Mapping[str, float]:
        """Take `num_steps` steps, telling `progress` of each.

        Returns:
            Losses and posterior statistics as means over the steps; mean, spread and range of the predictions of
            the last step.
        """
        sums, metrics = None, {}
        for _ in range(num_steps):
            for metrics in self.step():
                scalars = torch.stack([value for name, value in metrics.items() if name not in PREDICTIONS])
                sums = scalars if sums is None else sums.add_(scalars)
            progress(1)
        assert sums is not None, "a training phase has at least one step"
        names = [name for name in metrics if name not in PREDICTIONS]
        means = (sums / (num_steps * self._updates_per_step)).tolist()
        return dict(zip(names, means, strict=True)) | _prediction_statistics(metrics)

    @property
    def _updates_per_step(self) -> int:
        return self._params.embedding_batch_size // self._params.embedding_mini_batch_size

    def step(self) -> list[Metrics]:
        """One step: an update for each piece of the context, each with transitions of its own."""
        return [self.trainer.update(batch, context, noise) for batch, context, noise in self.draw()]

    def draw(self) -> Iterator[tuple[Batch, Tensor, Noise]]:
        """What the updates of one step need: transitions for actor and critics, context, noise."""
        params = self._params
        tasks = self._draw_tasks()
        context = self._draw_context(tasks, self._generator)
        for piece in context.split(params.embedding_mini_batch_size, dim=1):
            batch = self._replay.sample(tasks, params.batch_size, self._generator)
            yield batch, piece, self._draw_noise(batch.action)

    def _draw_tasks(self) -> Tensor:
        """`meta_batch` training tasks, with replacement."""
        size, device = (self._params.meta_batch,), self._train_tasks.device
        return self._train_tasks[
            torch.randint(len(self._train_tasks), size, generator=self._generator, device=device)
        ]

    def _draw_noise(self, action: Tensor) -> Noise:
        device, latent = action.device, self.trainer.agent.latent_size
        z = torch.randn(action.shape[0], latent, generator=self._generator, device=device)
        return Noise(z, torch.randn(action.shape, generator=self._generator, device=device))


def _prediction_statistics(metrics: Metrics) -> dict[str, float]:
    """Mean, standard deviation and range of the last step's predictions, in the order of progress.csv."""
    statistics = {}
    for name in PREDICTIONS:
        values = metrics[name].double()
        statistics[f"{name} Mean"] = values.mean().item()
        statistics[f"{name} Std"] = values.std(correction=0).item()
        statistics[f"{name} Max"] = values.max().item()
        statistics[f"{name} Min"] = values.min().item()
    return statistics
