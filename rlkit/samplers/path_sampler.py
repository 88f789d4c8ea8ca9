"""PathSampler: one episode per (task, z) lane, all lanes in lock-step, one policy call per step for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlkit.core.errors import RunError
from rlkit.core.protocols import Agent, LaneEnv
from rlkit.core.records import IndexArray, Paths


class PathSampler:
    """Rolls out whole episodes; nothing is kept from one call to the next."""

    def __init__(self, env: LaneEnv, agent: Agent, *, record_terms: bool = False) -> None:
        """`env` does not reset by itself; `agent` acts; `record_terms` keeps what `info` names beside the reward."""
        self.env = env
        self.agent = agent
        self.record_terms = record_terms
        self.num_lanes = env.num_envs
        self.max_path_length = env.max_path_length

    def seed(self, env_seed: int) -> None:
        """Seed the resets of the environment, starting no episode."""
        self.env.reset(seed=env_seed, options={"reset_mask": np.zeros(self.num_lanes, dtype=bool)})

    def sample(self, tasks: IndexArray, z: Tensor, generator: torch.Generator | None) -> Iterator[Paths]:
        """One episode for each entry of `tasks`, in pieces of at most `num_lanes`.

        Args:
            tasks: (episodes,) task indices.
            z: (episodes, latent), the task variable of each episode.
            generator: source of the exploration noise; None makes the policy deterministic.
        """
        for start in range(0, len(tasks), self.num_lanes):
            piece = slice(start, start + self.num_lanes)
            with one_torch_thread():
                paths = self._rollout(tasks[piece], z[piece], generator)
            yield paths

    def _rollout(self, tasks: IndexArray, z: Tensor, generator: torch.Generator | None) -> Paths:
        env, lanes, steps = self.env, len(tasks), self.max_path_length
        obs = np.empty((steps + 1, lanes, env.observation_dim), dtype=np.float32)
        action = np.empty((steps, lanes, env.action_dim), dtype=np.float32)
        reward, terminal, sparse = (np.zeros((steps, lanes), dtype=np.float32) for _ in range(3))
        length = np.zeros(lanes, dtype=np.int64)
        all_actions = np.zeros((env.num_envs, env.action_dim), dtype=np.float32)  # lanes beyond ours stay frozen
        live = np.ones(lanes, dtype=bool)

        terms: list[dict[str, np.ndarray]] = []
        act = self.agent.actor(z, generator)
        obs[0] = self._start(tasks)
        for step in range(steps):
            action[step] = act(obs[step])
            all_actions[:lanes] = action[step]
            _require_finite("action", action[step], tasks, step, live)
            next_obs, step_reward, terminated, truncated, info = env.step(all_actions)
            obs[step + 1] = next_obs[:lanes]
            reward[step] = step_reward[:lanes]
            terminal[step] = terminated[:lanes]
            if env.has_sparse_reward:
                sparse[step] = info["sparse_reward"][:lanes]
            if self.record_terms:
                terms.append({name: info[name][:lanes] for name in info if is_term(name)})
            _require_finite("observation", obs[step + 1], tasks, step, live)
            length += live
            live &= ~(terminated | truncated)[:lanes]
            if not live.any():
                break
        used = int(length.max())
        return Paths(
            task=np.asarray(tasks),
            length=length,
            obs=obs[:used].swapaxes(0, 1),
            action=action[:used].swapaxes(0, 1),
            reward=reward[:used].T,
            next_obs=obs[1 : used + 1].swapaxes(0, 1),
            terminal=terminal[:used].T,
            sparse_reward=sparse[:used].T if env.has_sparse_reward else None,
            terms={name: np.stack([step[name] for step in terms], axis=1) for name in (terms[0] if terms else ())},
        )

    def _start(self, tasks: IndexArray) -> np.ndarray:
        mask = np.arange(self.env.num_envs) < len(tasks)
        self.env.set_tasks(tasks, lanes=np.arange(len(tasks)))
        return self.env.reset(options={"reset_mask": mask})[0][: len(tasks)]


def _require_finite(what: str, values: np.ndarray, tasks: IndexArray, step: int, live: NDArray[np.bool_]) -> None:
    """Stop where a live lane acts or observes something that is not finite.

    Raises:
        RunError: with task, step and values.
    """
    if not np.isfinite(values).all():
        bad = np.flatnonzero(live & ~np.isfinite(values).all(axis=1))
        if bad.size:
            raise RunError(f"{what} not finite in task {tasks[bad[0]]}, step {step + 1}: {values[bad[0]].tolist()}")


def is_term(name: str) -> bool:
    """Whether an entry of `info` is a number to report: a term of the reward, a speed, a success."""
    return name.startswith("reward_") or name in ("velocity", "success")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one CPU thread inside the block.

    A policy call on some lanes is too small to share, and torch's other threads, which spin while they wait for
    work, would take the cores that the physics needs.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
