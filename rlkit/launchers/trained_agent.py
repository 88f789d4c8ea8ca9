"""Trained agents for use in Python: load one, act, tell it what happened, act better. No launcher, no globals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import ArrayLike

from rlkit.config.files import load_config
from rlkit.config.settings import Config
from rlkit.launchers.build import build_agent
from rlkit.runs.folder import ACTION_RANGE, TASKS_FILE, VARIANT_FILE, RunFolder
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.weights import load_agent, read_weights
from rlkit.util.errors import UserError
from rlkit.util.files import user_path
from rlkit.util.records import Dims, FloatArray, context_columns

Transition = tuple[ArrayLike, ArrayLike, float, ArrayLike]
"""Observation, action, reward, next observation, as the environment has them. The reward is the sparse one for an
agent that trained with `sparse_rewards`."""


class TaskBelief(NamedTuple):
    """What is believed of one task, and the transitions that it rests on. A value: nothing changes it."""

    mean: FloatArray  # (latent,)
    var: FloatArray  # (latent,), 0 of an agent without information bottleneck
    context: FloatArray  # (transitions, context_dim), in the order in which they happened

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """A task variable z to act with, (latent,)."""
        noise = rng.standard_normal(self.mean.shape, dtype=np.float32)
        return np.asarray(self.mean + np.sqrt(self.var) * noise, dtype=np.float32)


class TrainedAgent:
    """An agent that adapts to one task at a time; it keeps no state, beliefs go in and out.

    Attributes:
        agent: the networks, for many tasks at once.
        config: what the agent was trained with.
        action_space: what it acts in.
    """

    def __init__(self, agent: PEARLAgent, config: Config, action_space: spaces.Box) -> None:
        self.agent = agent
        self.config = config
        self.action_space = action_space
        low, high = (bound.astype(np.float64).ravel() for bound in (action_space.low, action_space.high))
        self._offset, self._scale = (low + high) / 2, (high - low) / 2

    def prior(self) -> TaskBelief:
        """The belief before anything of the task is seen: N(0, I), or z = 0 without information bottleneck."""
        mean, var = self.agent.prior(1)
        nothing = np.zeros((0, self.agent.context_encoder.context_dim), dtype=np.float32)
        return TaskBelief(mean[0].cpu().numpy(), var[0].cpu().numpy(), nothing)

    def update(self, belief: TaskBelief, transitions: Iterable[Transition]) -> TaskBelief:
        """The posterior given what `belief` rests on and then `transitions`, in order."""
        rows = [self._row(*transition) for transition in transitions]
        if not rows:
            return belief
        context = np.concatenate([belief.context, np.stack(rows)])
        mean, var = self.agent.posterior(context[None])
        return TaskBelief(mean[0].cpu().numpy(), var[0].cpu().numpy(), context)

    def actor(self, z: FloatArray, noise_seed: int | None = None) -> Callable[[ArrayLike], FloatArray]:
        """Acts with z (latent,): an observation in, an action within `action_space` out.

        The policy's mean action, or with `noise_seed` actions with exploration noise.
        """
        generator = None
        if noise_seed is not None:
            generator = torch.Generator(self.agent.device).manual_seed(noise_seed)
        act = self.agent.actor()(torch.as_tensor(z)[None], generator)

        def act_once(obs: ArrayLike) -> FloatArray:
            action = self._offset + self._scale * act(np.asarray(obs, dtype=np.float32).reshape(1, -1))[0]
            return np.asarray(action.reshape(self.action_space.shape), dtype=np.float32)

        return act_once

    def _row(self, obs: ArrayLike, action: ArrayLike, reward: float, next_obs: ArrayLike) -> FloatArray:
        """What the encoder reads of a transition, (context_dim,)."""
        centred = np.asarray(action, dtype=np.float64).ravel() - self._offset
        scaled = centred / np.where(self._scale > 0, self._scale, 1.0)  # to [-1, 1], as the encoder has it
        parts: dict[str, ArrayLike] = {"obs": obs, "action": scaled, "reward": reward, "next_obs": next_obs}
        columns = context_columns(self.config.algo_params.use_next_obs_in_context)
        return np.concatenate([np.asarray(parts[name], dtype=np.float32).ravel() for name in columns])


def load_experiment(
    folder: str | Path,
    *,
    config: str | Path | Config | None = None,
    overrides: Iterable[str] = (),
    action_space: spaces.Box | None = None,
    device: str = "cpu",
) -> TrainedAgent:
    """Load the agent of an experiment, finished or running, of this project or of the reference.

    Args:
        folder: the experiment's folder, with `context_encoder.pth` and `policy.pth`.
        config: what it was trained with, a file or a config; None takes the folder's variant.json.
        overrides: KEY=VALUE texts that change what a file says.
        action_space: of the environment to act in; None takes that of the environment it was trained on, which the
            run has saved. Runs from before that acted within [-1, 1], as all native families do.
        device: where to compute.

    Raises:
        UserError: config, action space or weights are missing, unreadable, or do not belong together.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    RunFolder(folder).require_own_tasks()
    if config is None:
        RunFolder(folder).require_own_settings()
    if not isinstance(config, Config):
        config = load_config(folder / VARIANT_FILE if config is None else config, overrides)
    policy = read_weights(folder, "policy")
    if not {"fc0.weight", "last_fc.weight"} <= policy.keys():
        raise UserError(f"{folder / 'policy.pth'}: not the weights of a policy, it holds {', '.join(policy)}")
    obs_dim = policy["fc0.weight"].shape[1] - config.latent_size
    if obs_dim < 1:
        raise UserError(f"latent_size: too large for {folder / 'policy.pth'}, got {config.latent_size}")
    action_dim = policy["last_fc.weight"].shape[0]
    agent = build_agent(config, Dims(obs_dim, action_dim), torch.Generator())
    load_agent(agent, folder)
    return TrainedAgent(agent.to(device), config, action_space or _trained_action_space(folder, action_dim))


def _trained_action_space(folder: Path, action_dim: int) -> spaces.Box:
    """The action space that a run has saved; [-1, 1] where it has not.

    Raises:
        UserError: what is saved is of another size, or no range of numbers.
    """
    bounds = RunFolder(folder).action_range
    if bounds is None:
        return spaces.Box(-1.0, 1.0, (action_dim,))
    try:
        low, high = np.array(bounds, dtype=np.float64)
        if low.ndim == 0 or low.size != action_dim or not (np.isfinite(bounds).all() and (low <= high).all()):
            raise ValueError(f"not {action_dim} finite ranges")
    except (TypeError, ValueError) as error:
        raise UserError(f"{folder / TASKS_FILE}: {ACTION_RANGE}: {error}") from None
    return spaces.Box(low, high, dtype=np.float64)
