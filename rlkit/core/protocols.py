"""What the loop needs of its parts, which are handed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from rlkit.data_management.journal import Mark
from rlkit.util.records import FloatArray, IndexArray, Paths, Start

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from typing_extensions import Self


class DrawContext(Protocol):
    """Draws context for posterior inference."""

    def __call__(self, tasks: IndexArray, generator: torch.Generator) -> Tensor:
        """A context for each of `tasks`, (tasks, context, context_dim)."""


class Belief(Protocol):
    """q(z|c) for several tasks."""

    @property
    def mean(self) -> Tensor:
        """(tasks, latent)."""

    @property
    def var(self) -> Tensor:
        """(tasks, latent)."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """One z per task."""

    def rows(self, rows: IndexArray) -> Self:
        """The beliefs of `rows`."""

    def with_rows(self, rows: IndexArray, other: Self) -> Self:
        """These beliefs, but for `rows`, which have those of `other`."""

    def joined(self, other: Self) -> Self:
        """These beliefs, then those of `other`."""


class Actor(Protocol):
    """A policy with its weights of one moment."""

    def for_z(self, z: Tensor, generator: torch.Generator | None) -> Callable[[FloatArray], FloatArray]:
        """Acts for lanes whose z (lanes, latent) stays; deterministic without a generator."""


class Agent(Protocol):
    """Infers beliefs and acts."""

    def prior(self, num_tasks: int) -> Belief:
        """The belief with no context."""

    def posterior(self, context: Any) -> Belief:
        """The belief given context."""

    def codes(self, transitions: FloatArray) -> FloatArray:
        """What each of `transitions` (steps, context_dim) gives to a belief, (steps, code_dim)."""

    def fuse(self, codes: FloatArray, length: IndexArray) -> Belief:
        """The belief given codes (tasks, context, code_dim), of which the first `length` (tasks,) count."""

    def actor(self) -> Actor:
        """Acts with the policy of this moment."""


class Sampler(Protocol):
    """Rolls out episodes, many at a time."""

    def seed(self, env_seed: int) -> None:
        """Seed the environment's resets."""

    @property
    def num_diverged(self) -> int:
        """How many episodes diverged since `seed`."""

    def run(
        self, start: Callable[[int], Start], generator: torch.Generator | None
    ) -> Iterator[tuple[IndexArray, Paths]]:
        """The episodes that `start` gives for so many free lanes, with their jobs, as they end."""

    def sample(
        self, tasks: IndexArray, z: Tensor, generator: torch.Generator | None
    ) -> Iterator[tuple[IndexArray, Paths]]:
        """One episode for each entry of `tasks`, as they end, with their places in `tasks`."""


class Collector(Protocol):
    """Collects training data."""

    @property
    def num_diverged(self) -> int:
        """How many episodes a diverging simulation has cut since `seed`."""

    def seed(self, env_seed: int, agent_seed: int) -> None:
        """Start the random streams afresh."""

    def from_prior(self, tasks: IndexArray, num_steps: int) -> Iterator[Paths]:
        """At least `num_steps` transitions per task with z ~ prior."""

    def from_posterior(
        self,
        tasks: IndexArray,
        num_steps: int,
        draw_context: DrawContext,
        *,
        paths_per_update: int,
        context_grows: bool,
    ) -> Iterator[Paths]:
        """At least `num_steps` transitions per task with z ~ q(z|c), the first `paths_per_update` paths z ~ prior."""


class Experience(Protocol):
    """Keeps what is collected."""

    def add(self, paths: Paths, *, as_context: bool) -> None:
        """Keep episodes for training, and `as_context` for the encoder too."""

    def clear_context(self, tasks: IndexArray) -> None:
        """Forget what the encoder knows of `tasks`."""

    def mark(self) -> Mark:
        """The place in the journal that is safe on disk."""


class TrainingStep(Protocol):
    """Samples batches and updates the networks."""

    def start(self, seed: int) -> None:
        """Begin a training phase with a random stream of its own."""

    def run(self, num_steps: int, after_step: Callable[[], None]) -> None:
        """Take `num_steps` gradient steps; `after_step` may end it by an exception."""

    def statistics(self) -> Mapping[str, float]:
        """What progress.csv says of the phase."""
