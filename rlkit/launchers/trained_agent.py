"""Trained agents for use in Python: load one, act, tell it what happened, act better. No launcher, no globals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from rlkit.config.files import load_config
from rlkit.config.settings import Config
from rlkit.runs.folder import VARIANT_FILE
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.builder import build_agent, load_agent, read_weights
from rlkit.util.errors import UserError
from rlkit.util.records import FloatArray

Transition = tuple[ArrayLike, ArrayLike, float, ArrayLike]
"""Observation, action in [-1, 1], reward, next observation. The reward is the sparse one for an agent that trained
with `sparse_rewards`."""


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
    """

    def __init__(self, agent: PEARLAgent, config: Config) -> None:
        """Join networks and config."""
        self.agent = agent
        self.config = config

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
        """Acts with z (latent,): observation (obs_dim,) in, action in [-1, 1] (action_dim,) out.

        The policy's mean action, or with `noise_seed` actions with exploration noise.
        """
        generator = None
        if noise_seed is not None:
            generator = torch.Generator(self.agent.device).manual_seed(noise_seed)
        act = self.agent.actor().for_z(torch.as_tensor(z)[None], generator)
        return lambda obs: act(np.asarray(obs, dtype=np.float32)[None])[0]

    def _row(self, obs: ArrayLike, action: ArrayLike, reward: float, next_obs: ArrayLike) -> FloatArray:
        """What the encoder reads of a transition, (context_dim,)."""
        columns = [obs, action, [reward]] + [next_obs] * self.config.algo_params.use_next_obs_in_context
        return np.concatenate([np.asarray(column, dtype=np.float32) for column in columns])


def load_experiment(
    folder: str | Path, *, config: str | Path | Config | None = None, device: str = "cpu"
) -> TrainedAgent:
    """Load the agent of an experiment, finished or running, of this project or of the reference.

    Args:
        folder: the experiment's folder, with `context_encoder.pth` and `policy.pth`.
        config: what it was trained with, a file or a config; None takes the folder's variant.json.
        device: where to compute.

    Raises:
        UserError: config or weights are missing, unreadable, or do not belong together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if not isinstance(config, Config):
        config = load_config(folder / VARIANT_FILE if config is None else config)
    policy = read_weights(folder, "policy")
    if not {"fc0.weight", "last_fc.weight"} <= policy.keys():
        raise UserError(f"{folder / 'policy.pth'}: not the weights of a policy, it holds {', '.join(policy)}")
    obs_dim = policy["fc0.weight"].shape[1] - config.latent_size
    if obs_dim < 1:
        raise UserError(f"latent_size: too large for {folder / 'policy.pth'}, got {config.latent_size}")
    agent = build_agent(
        config.algo_params,
        obs_dim=obs_dim,
        action_dim=policy["last_fc.weight"].shape[0],
        latent_size=config.latent_size,
        net_size=config.net_size,
        encoder_size=config.encoder_size,
        generator=torch.Generator(),
    )
    load_agent(agent, folder)
    return TrainedAgent(agent.to(device), config)
