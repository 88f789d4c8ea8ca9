"""Weights on disk: one `NAME.pth` per network, under the reference's names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import PEARLTrainer
from rlkit.util.errors import UserError

WEIGHTS_SUFFIX = ".pth"


def save_weights(trainer: PEARLTrainer, folder: Path) -> None:
    """Write one `NAME.pth` per network, each replaced atomically."""
    for name, network in trainer.networks().items():
        target = folder / f"{name}{WEIGHTS_SUFFIX}"
        temporary = target.with_suffix(".tmp")
        torch.save({key: value.cpu() for key, value in network.state_dict().items()}, temporary)
        temporary.replace(target)


def load_weights(trainer: PEARLTrainer, folder: Path) -> None:
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
