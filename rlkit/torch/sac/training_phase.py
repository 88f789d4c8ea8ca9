"""TrainingPhase: draws the batches of a gradient step, runs the update, and gathers the phase's statistics."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlkit.config.settings import AlgoParams
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.torch.encoders import Context
from rlkit.torch.fast.cuda_graph import GraphedCall
from rlkit.torch.sac.pearl import Metrics, Noise, PEARLTrainer
from rlkit.util.errors import NonFiniteError, RunError
from rlkit.util.records import Batch, IndexArray

GPU_CHECK_INTERVAL = 100  # steps between looks at the losses; each look waits for the GPU


class Statistics(NamedTuple):
    """What progress.csv says of a phase, by column, in order."""

    shared: dict[str, float]  # columns of every variant
    own: dict[str, float]  # of this one alone


class TrainingPhase:
    """The training phase: gradient steps on batches of `meta_batch` tasks, no host-device synchronisation between."""

    def __init__(
        self,
        trainer: PEARLTrainer,
        replay: MultiTaskReplayBuffer,
        contexts: ContextSampler,
        train_tasks: IndexArray,
        params: AlgoParams,
        generator: torch.Generator,
        *,
        precision: str = "float32",
        use_graph: bool = True,
        stop_on_nan: bool = True,
    ) -> None:
        """Keep the parts.

        Args:
            trainer: takes the updates.
            replay, contexts: where batches and contexts come from.
            train_tasks: (tasks,) indices to draw from.
            params: sizes of the batches.
            generator: on the training device, draws tasks, transitions and the update's noise.
            precision: "bf16" computes the hidden layers in bfloat16; anything else leaves torch's settings.
            use_graph: whether a step on a GPU is replayed as a CUDA graph.
            stop_on_nan: whether a loss that is not finite ends the run.
        """
        self.trainer = trainer
        self._replay = replay
        self._contexts = contexts
        self._train_tasks = torch.from_numpy(train_tasks).to(trainer.agent.device)
        self._params = params
        self._generator = generator
        self._precision = precision
        self._one = torch.ones((), device=trainer.agent.device)
        self._sums: Tensor | None = None  # of the losses of this phase's updates, and last their number
        self._last = Metrics({}, {}, {})
        self._drawn: dict[str, Tensor] = {}  # the last update's inputs, for a dump
        on_gpu = trainer.agent.device.type == "cuda"
        self._check_interval = (GPU_CHECK_INTERVAL if on_gpu else 1) if stop_on_nan else 0
        self._advance: Callable[[], None] = self._add_up_step
        if use_graph and on_gpu:
            self._advance = GraphedCall(self._add_up_step, generator, self._data_version)

    def start(self, seed: int) -> None:
        """Begin a training phase: a random stream of its own, no losses added up yet."""
        self._generator.manual_seed(seed)
        if self._sums is not None:
            self._sums.zero_()

    def run(self, num_steps: int, after_step: Callable[[], None]) -> None:
        """Take `num_steps` steps; `after_step` is called behind each and may end the phase by an exception.

        Raises:
            NonFiniteError: a loss is not finite (looked at every `check_interval` steps).
        """
        for step in range(num_steps):
            self._advance()
            if self._check_interval and (step % self._check_interval == 0 or step == num_steps - 1):
                self._check()
            after_step()

    def statistics(self) -> Statistics:
        """What progress.csv says of the phase.

        Losses and posterior statistics are means over its updates; mean, spread and range of the predictions are
        those of the last update.
        """
        assert self._sums is not None, "a training phase has at least one step"
        *sums, num_updates = self._sums.tolist()
        means = dict(zip(self._last.scalars, (value / num_updates for value in sums), strict=True))
        own = {name: means.pop(name) for name in self._last.own}
        return Statistics(means | _prediction_statistics(self._last.predictions), own)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that a phase needs to go on in its middle: weights, optimizers, random stream, sums."""
        sums = {} if self._sums is None else {"sums": self._sums}
        state = {**self.trainer.state(), "generator": self._generator.get_state(), **sums}
        return {name: value.detach().cpu().numpy() for name, value in state.items()}

    def restore_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from `arrays`.

        Raises:
            RunError: they are those of other networks.
        """
        state = {name: torch.from_numpy(value) for name, value in arrays.items()}
        self.trainer.restore(state)
        if "generator" not in state:
            raise RunError("the saved state lacks the random generator")
        self._restore_stream(state["generator"])
        if "sums" in state:
            self._sums = state["sums"].to(self._one.device)

    def _restore_stream(self, saved: Tensor) -> None:
        """Go on with the random stream; one of another kind of device makes the seed of a stream of this one."""
        if saved.shape == self._generator.get_state().shape:
            self._generator.set_state(saved)
        else:
            self._generator.manual_seed(zlib.crc32(saved.numpy().tobytes()))

    def _check(self) -> None:
        """Stop where a sum of losses is not finite any more."""
        assert self._sums is not None, "there are sums after a step"
        if not bool(torch.isfinite(self._sums).all()):
            finite = torch.isfinite(self._sums[:-1]).tolist()
            bad = [name for name, good in zip(self._last.scalars, finite, strict=True) if not good]
            raise NonFiniteError(bad, {name: tensor.detach().cpu().numpy() for name, tensor in self._drawn.items()})

    def _add_up_step(self) -> None:
        """A step, its losses added to the sums of this phase; all of it work for the device."""
        for metrics in self.step():
            values = torch.stack([*metrics.scalars.values(), self._one])
            if self._sums is None:
                self._sums = torch.zeros_like(values)
            self._sums += values
            self._last = metrics

    def step(self) -> list[Metrics]:
        """One step: an update for each piece of the context, each with transitions of its own."""
        all_metrics = []
        with self._autocast():
            for batch, context, noise in self.draw():
                draws = {f"{name}_noise": draw for name, draw in noise._asdict().items() if draw is not None}
                self._drawn = {**batch._asdict(), **draws}
                all_metrics.append(self.trainer.update(batch, context, noise))
        return all_metrics

    def _autocast(self) -> AbstractContextManager[object]:
        """Hidden layers in bfloat16 where configured. Nothing is cached: weights change within a step."""
        if self._precision != "bf16":
            return nullcontext()
        return torch.autocast(self.trainer.agent.device.type, dtype=torch.bfloat16, cache_enabled=False)

    def _data_version(self) -> int:
        return self._replay.version + self._contexts.version

    def draw(self) -> Iterator[tuple[Batch, Context, Noise]]:
        """What the updates of one step need: transitions for actor and critics, context, noise."""
        params = self._params
        tasks = self._draw_tasks()
        if params.context_source == "rl_batch":
            batch, context = self._contexts.draw_with_batch(tasks, self._generator)
            yield batch, context, self._draw_noise(batch.action)
            return
        context = self._contexts.draw(tasks, self._generator)
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
        num_actions = 2 if self.trainer.needs_next_action else 1
        return Noise(
            z, *(torch.randn(action.shape, generator=self._generator, device=device) for _ in range(num_actions))
        )


def _prediction_statistics(predictions: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean, standard deviation and range of the last step's predictions, in the order of progress.csv."""
    statistics = {}
    for name, tensor in predictions.items():
        values = tensor.double()
        statistics[f"{name} Mean"] = values.mean().item()
        statistics[f"{name} Std"] = values.std(correction=0).item()
        statistics[f"{name} Max"] = values.max().item()
        statistics[f"{name} Min"] = values.min().item()
    return statistics
