"""What travels between the parts: paths (whole episodes), training batches, and environments many lanes wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]


def context_columns(use_next_obs: bool) -> tuple[str, ...]:
    """What the encoder reads of a transition, in this order; the reward may be the sparse one."""
    return ("obs", "action", "reward", "next_obs") if use_next_obs else ("obs", "action", "reward")


class Dims(NamedTuple):
    """How wide the parts of a transition are."""

    obs: int
    action: int

    def of(self, column: str) -> int:
        """Width of one part of a transition: of "obs", "action" and "next_obs", 1 of all others."""
        return {"obs": self.obs, "next_obs": self.obs, "action": self.action}.get(column, 1)

    def context(self, use_next_obs: bool) -> int:
        """How many numbers the encoder reads of a transition."""
        return sum(map(self.of, context_columns(use_next_obs)))


class Paths(NamedTuple):
    """Some paths, padded behind their ends to the longest of them: with zeros, but for the last observation.

    `terminal` is the environment's own termination, 0 where the time limit cut the path. `sparse_reward` is
    None where the environment gives none.
    """

    task: IndexArray  # (paths,)
    length: IndexArray  # (paths,) steps of each path
    obs: FloatArray  # (paths, steps, obs_dim)
    action: FloatArray  # (paths, steps, action_dim)
    reward: FloatArray  # (paths, steps)
    next_obs: FloatArray  # (paths, steps, obs_dim)
    terminal: FloatArray  # (paths, steps)
    sparse_reward: FloatArray | None  # (paths, steps)
    terms: Mapping[str, FloatArray] = MappingProxyType({})  # what else the environment tells, each (paths, steps)

    def valid(self) -> NDArray[np.bool_]:
        """Which entries are steps and not padding, (paths, steps)."""
        return np.arange(self.reward.shape[1]) < self.length[:, None]

    def returns(self, sparse: bool) -> FloatArray:
        """Undiscounted return of each path, (paths,)."""
        return np.where(self.valid(), self._counted(sparse), 0.0).sum(axis=1)

    def context(self, *, use_next_obs: bool, sparse: bool) -> FloatArray:
        """What the encoder reads of each step: obs, action, reward (, next_obs), (paths, steps, context_dim)."""
        columns = {**self._asdict(), "reward": self._counted(sparse)[..., None]}
        return np.concatenate([columns[name] for name in context_columns(use_next_obs)], axis=-1)

    def _counted(self, sparse: bool) -> FloatArray:
        reward = self.sparse_reward if sparse else self.reward
        assert reward is not None, "the environment gives no sparse reward"
        return reward

    def rows(self, rows: IndexArray) -> Paths:
        """The paths of `rows`, in that order."""
        if np.array_equal(rows, np.arange(len(self.length))):
            return self
        fields = {name: value[rows] for name, value in self._asdict().items() if isinstance(value, np.ndarray)}
        return self._replace(**fields, terms={name: values[rows] for name, values in self.terms.items()})


def join_paths(pieces: Sequence[Paths]) -> Paths:
    """The paths of all pieces, one after the other, padded to the longest piece.

    A term that a piece does not know is 0 in it: the environment had not told it yet.
    """
    if len(pieces) == 1:
        return pieces[0]
    ends = np.cumsum([len(paths.length) for paths in pieces])
    steps = max(paths.reward.shape[1] for paths in pieces)

    def joined(values: list[FloatArray]) -> FloatArray:
        padded = np.zeros((ends[-1], steps, *values[0].shape[2:]), dtype=np.float32)
        for end, piece in zip(ends, values, strict=True):
            padded[end - len(piece) : end, : piece.shape[1]] = piece
        return padded

    def field(name: str) -> FloatArray:
        return joined([getattr(paths, name) for paths in pieces])

    return Paths(
        task=np.concatenate([paths.task for paths in pieces]),
        length=np.concatenate([paths.length for paths in pieces]),
        **{name: field(name) for name in ("obs", "action", "reward", "next_obs", "terminal")},
        sparse_reward=None if pieces[0].sparse_reward is None else field("sparse_reward"),
        terms={
            name: joined([paths.terms.get(name, np.zeros_like(paths.reward)) for paths in pieces])
            for name in dict.fromkeys(name for paths in pieces for name in paths.terms)
        },
    )


class Batch(NamedTuple):
    """Transitions of several tasks, for actor and critics."""

    obs: Tensor  # (tasks, batch, obs_dim)
    action: Tensor  # (tasks, batch, action_dim)
    reward: Tensor  # (tasks, batch, 1), dense and unscaled
    next_obs: Tensor  # (tasks, batch, obs_dim)
    terminal: Tensor  # (tasks, batch, 1), 0 on time-limit cuts


class Start(NamedTuple):
    """Paths that begin together."""

    job: IndexArray  # (paths,) what each is for; the sampler hands it back with the path
    tasks: IndexArray  # (paths,)
    z: Tensor  # (paths, latent)


def is_term(name: str) -> bool:
    """Whether an entry of an environment's `info` is for `Paths.terms`: a term of the reward, a speed, a success."""
    return name.startswith("reward_") or name in ("velocity", "success")


class LaneEnv(Protocol):
    """A batch of environments, one task per lane; a lane that has ended is frozen until its reset."""

    num_envs: int
    max_path_length: int

    @property
    def observation_dim(self) -> int: ...

    @property
    def action_dim(self) -> int: ...

    @property
    def has_sparse_reward(self) -> bool:
        """Whether `info["sparse_reward"]` counts; where a step does not name it, it is 0."""

    def set_tasks(self, indices: IndexArray, lanes: IndexArray) -> None:
        """Put `lanes` into the tasks `indices`."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[Any], Any]:
        """Start paths in the lanes of `options["reset_mask"]`; `seed` seeds the generator first."""

    def step(self, actions: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Act in all live lanes: observations, rewards, terminations, truncations, infos."""
