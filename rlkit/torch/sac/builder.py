"""Builds agent and trainer from a config, and loads and saves their weights under the reference's names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from rlkit.config.settings import AlgoParams, Config
from rlkit.torch.attention_encoder import AttentionEncoder
from rlkit.torch.encoders import MLPEncoder
from rlkit.torch.networks import MLP
from rlkit.torch.recurrent_encoder import RecurrentEncoder
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import Critics, PEARLTrainer
from rlkit.torch.sac.policies import TanhGaussianPolicy
from rlkit.torch.sac.trainer import Trainer
from rlkit.torch.sac.twin_q import TwinQTrainer, with_targets
from rlkit.util.errors import UserError

WEIGHTS_SUFFIX = ".pth"
ENCODERS: dict[str, type[MLPEncoder] | type[RecurrentEncoder]] = {
    "mlp": MLPEncoder,
    "recurrent": RecurrentEncoder,
    "attention": AttentionEncoder,
}


def build_pearl(
    config: Config, obs_dim: int, action_dim: int, device: torch.device, generator: torch.Generator
) -> Trainer:
    """Networks with fresh weights from `generator` (a CPU one), or from `path_to_weights`, on `device`.

    Raises:
        UserError: `path_to_weights` lacks a file, or its shapes are others.
    """
    agent, critics = build_networks(
        config.algo_params,
        obs_dim=obs_dim,
        action_dim=action_dim,
        latent_size=config.latent_size,
        net_size=config.net_size,
        encoder_size=config.encoder_size,
        generator=generator,
    )
    for network in (agent, *critics):
        network.to(device)
    trainer: Trainer
    if config.algo_params.critic == "twin_q":
        trainer = TwinQTrainer(agent, with_targets(critics.qf1, critics.qf2), config.algo_params)
    else:
        trainer = PEARLTrainer(agent, critics, config.algo_params)
    if config.path_to_weights is not None:
        load_weights(trainer, Path(config.path_to_weights))
    return trainer


def build_networks(
    params: AlgoParams,
    *,
    obs_dim: int,
    action_dim: int,
    latent_size: int,
    net_size: int,
    encoder_size: int,
    generator: torch.Generator,
) -> tuple[PEARLAgent, Critics]:
    """All networks on the CPU, with weights drawn from `generator`; target_vf starts as a copy of vf."""
    agent = build_agent(
        params,
        obs_dim=obs_dim,
        action_dim=action_dim,
        latent_size=latent_size,
        net_size=net_size,
        encoder_size=encoder_size,
        generator=generator,
    )
    qf1, qf2 = (MLP(obs_dim + action_dim + latent_size, 1, net_size, generator) for _ in range(2))
    vf, target_vf = (MLP(obs_dim + latent_size, 1, net_size, generator) for _ in range(2))
    target_vf.load_state_dict(vf.state_dict())
    target_vf.requires_grad_(False)
    return agent, Critics(qf1, qf2, vf, target_vf)


def build_agent(
    params: AlgoParams,
    *,
    obs_dim: int,
    action_dim: int,
    latent_size: int,
    net_size: int,
    encoder_size: int,
    generator: torch.Generator,
) -> PEARLAgent:
    """Context encoder and policy on the CPU, with weights drawn from `generator`."""
    transition_dim = obs_dim + action_dim + 1 + (obs_dim if params.use_next_obs_in_context else 0)
    encoder_class = ENCODERS[params.encoder]
    encoder = encoder_class(transition_dim, latent_size, encoder_size, params.use_information_bottleneck, generator)
    policy = TanhGaussianPolicy(obs_dim, latent_size, action_dim, net_size, generator)
    return PEARLAgent(encoder, policy, latent_size)


def save_weights(trainer: Trainer, folder: Path) -> None:
    """Write one `NAME.pth` per network, each replaced atomically."""
    for name, network in trainer.networks().items():
        target = folder / f"{name}{WEIGHTS_SUFFIX}"
        temporary = target.with_suffix(".tmp")
        torch.save({key: value.cpu() for key, value in network.state_dict().items()}, temporary)
        temporary.replace(target)


def load_weights(trainer: Trainer, folder: Path) -> None:
    """Read the networks' weights from `folder`; weights saved on a GPU load anywhere.

    Raises:
        UserError: a file is missing or not a weight file, or a parameter has another name or shape.
    """
    for name, network in trainer.networks().items():
        _load(network, read_weights(folder, name), folder / f"{name}{WEIGHTS_SUFFIX}")


def load_agent(agent: PEARLAgent, folder: Path) -> None:
    """Read the weights of context encoder and policy alone; raises as `load_weights`."""
    for name, network in (("context_encoder", agent.context_encoder), ("policy", agent.policy)):
        _load(network, read_weights(folder, name), folder / f"{name}{WEIGHTS_SUFFIX}")


def read_weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """The parameters of one network, by name, on the CPU.

    Raises:
        UserError: the file is missing or not a weight file.
    """
    path = folder / f"{name}{WEIGHTS_SUFFIX}"
    if not path.is_file():
        raise UserError(f"path_to_weights: no file {path}")
    try:
        state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise UserError(f"path_to_weights: cannot read {path}: {str(error).splitlines()[0]}") from None
    return state


def _load(network: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise UserError(
                f"path_to_weights: {path}: {key} has shape {found.get(key)}, expected {expected.get(key)}"
            )
    network.load_state_dict(state)
