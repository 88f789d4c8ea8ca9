"""TrainingStep: draws the batches of a gradient step, runs the update, and gathers the statistics of an iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from rlkit.core.config import AlgoParams
from rlkit.core.records import Batch, IndexArray
from rlkit.torch.cuda_graph import GraphedCall
from rlkit.torch.encoders import Context
from rlkit.torch.sac.pearl import Metrics, Noise, PEARLTrainer

PREDICTIONS = ("Q Predictions", "V Predictions", "Log Pis", "Policy mu", "Policy log std")


class Replay(Protocol):
    """Where transitions for actor and critics are drawn from."""

    def sample(self, tasks: Tensor, num: int, generator: torch.Generator) -> Batch:
        """`num` transitions of each of `tasks`."""

    def addresses(self) -> tuple[int, ...]:
        """Where the data lie; they move when the buffer grows."""


class ContextSource(Protocol):
    """Where transitions for the encoder are drawn from."""

    def __call__(self, tasks: Tensor, generator: torch.Generator) -> Tensor:
        """A context for each of `tasks`, (tasks, context, context_dim)."""

    def with_batch(self, tasks: Tensor, generator: torch.Generator) -> tuple[Batch, Tensor]:
        """Transitions for actor and critics, and a context made of the first of them."""

    def addresses(self) -> tuple[int, ...]:
        """Where the data lie; they move when the buffer grows."""


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
        *,
        precision: str = "float32",
        use_graph: bool = True,
    ) -> None:
        """Keep the parts.

        Args:
            trainer: takes the updates.
            replay, draw_context: where batches and contexts come from.
            train_tasks: (tasks,) indices to draw from.
            params: sizes of the batches.
            generator: on the training device, draws tasks, transitions and the update's noise.
            precision: "bf16" computes the hidden layers in bfloat16; anything else leaves torch's settings.
            use_graph: whether a step on a GPU is replayed as a CUDA graph.
        """
        self.trainer = trainer
        self._replay = replay
        self._draw_context = draw_context
        self._train_tasks = torch.from_numpy(train_tasks).to(trainer.agent.device)
        self._params = params
        self._generator = generator
        self._precision = precision
        self._one = torch.ones((), device=trainer.agent.device)
        self._sums: Tensor | None = None  # of the losses of this phase's updates, and last their number
        self._last: Metrics = {}
        self._advance: Callable[[], None] = self._add_up_step
        if use_graph and trainer.agent.device.type == "cuda":
            self._advance = GraphedCall(self._add_up_step, generator, self._addresses)

    def seed(self, seed: int) -> None:
        """Start the random stream afresh."""
        self._generator.manual_seed(seed)

    def run(self, num_steps: int, progress: Callable[[int], None]) -> Mapping[str, float]:
        """Take `num_steps` steps, telling `progress` of each.

        Returns:
            Losses and posterior statistics as means over the steps; mean, spread and range of the predictions of
            the last step.
        """
        if self._sums is not None:
            self._sums.zero_()
        for _ in range(num_steps):
            self._advance()
            progress(1)
        assert self._sums is not None, "a training phase has at least one step"
        *sums, num_updates = self._sums.tolist()
        means = [value / num_updates for value in sums]
        return dict(zip(_scalars(self._last), means, strict=True)) | _prediction_statistics(self._last)

    def _add_up_step(self) -> None:
        """A step, its losses added to the sums of this phase; all of it work for the device."""
        for metrics in self.step():
            values = torch.stack([*_scalars(metrics).values(), self._one])
            if self._sums is None:
                self._sums = torch.zeros_like(values)
            self._sums += values
            self._last = metrics

    def step(self) -> list[Metrics]:
        """One step: an update for each piece of the context, each with transitions of its own."""
        with self._autocast():
            return [self.trainer.update(batch, context, noise) for batch, context, noise in self.draw()]

    def _autocast(self) -> AbstractContextManager[object]:
        """Hidden layers in bfloat16 where configured. Nothing is cached: weights change within a step."""
        if self._precision != "bf16":
            return nullcontext()
        return torch.autocast(self.trainer.agent.device.type, dtype=torch.bfloat16, cache_enabled=False)

    def _addresses(self) -> tuple[int, ...]:
        return (*self._replay.addresses(), *self._draw_context.addresses())

    def draw(self) -> Iterator[tuple[Batch, Context, Noise]]:
        """What the updates of one step need: transitions for actor and critics, context, noise."""
        params = self._params
        tasks = self._draw_tasks()
        if params.context_source == "rl_batch":
            batch, context = self._draw_context.with_batch(tasks, self._generator)
            yield batch, context, self._draw_noise(batch.action)
            return
        context = self._draw_context(tasks, self._generator)
        for piece in self.trainer.agent.pieces(context, params.embedding_mini_batch_size):
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


def _scalars(metrics: Metrics) -> Metrics:
    return {name: value for name, value in metrics.items() if name not in PREDICTIONS}


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
