"""Weights on disk: one `NAME.pth` per network, under the reference's names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch
from torch import nn

from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import PEARLTrainer
from rlkit.util.errors import UserError
from rlkit.util.files import replacing

WEIGHTS_SUFFIX = ".pth"
FOLDER_ATTRIBUTE = 0x10  # of a zip's entry; torch reads nothing then, and leaves what was in memory


def save_weights(trainer: PEARLTrainer, folder: Path) -> None:
    """Write one `NAME.pth` per network, each replaced atomically."""
    for name, network in trainer.networks().items():
        buffer = io.BytesIO()  # what torch says of a disk that is full names neither
        torch.save({key: value.cpu() for key, value in network.state_dict().items()}, buffer)
        with replacing(folder / f"{name}{WEIGHTS_SUFFIX}") as file:
            file.write(buffer.getbuffer())


def load_weights(trainer: PEARLTrainer, folder: Path) -> None:
    """Read the networks' weights from `folder`; weights saved on a GPU load anywhere.

    Raises:
        UserError: a file is missing or not a weight file, or a parameter has another name or shape.
    """
    for name, network in trainer.networks().items():
        _load(network, folder, name)


def load_agent(agent: PEARLAgent, folder: Path) -> None:
    """Read the weights of context encoder and policy alone; raises as `load_weights`."""
    for name, network in (("context_encoder", agent.context_encoder), ("policy", agent.policy)):
        _load(network, folder, name)


def read_weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """The parameters of one network, by name, on the CPU.

    Raises:
        UserError: the file is missing, damaged or not a weight file, or holds numbers that are not finite.
    """
    path = folder / f"{name}{WEIGHTS_SUFFIX}"
    if not path.is_file():
        raise UserError(f"path_to_weights: no file {path}")
    try:
        if zipfile.is_zipfile(path):  # as torch writes since 2020; torch does not look at the checksums in it
            with zipfile.ZipFile(path) as archive:
                are_folders = any(entry.external_attr & FOLDER_ATTRIBUTE for entry in archive.infolist())
                if are_folders or archive.testzip() is not None:
                    raise zipfile.BadZipFile
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises many kinds for a file that is none of its own, and advises to trust it
        raise UserError(f"path_to_weights: cannot read {path}: it is damaged, or no file of weights alone") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"path_to_weights: {path} holds a {type(state).__name__}, not a network's parameters by name")
    for key, value in state.items():
        if not isinstance(key, str) or not bool(torch.isfinite(value).all()):
            raise UserError(f"path_to_weights: {path}: {key} has numbers that are not finite")
    return state


def _load(network: nn.Module, folder: Path, name: str) -> None:
    state = read_weights(folder, name)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            path = folder / f"{name}{WEIGHTS_SUFFIX}"
            raise UserError(
                f"path_to_weights: {path}: {key} has shape {found.get(key)}, expected {expected.get(key)}"
            )
    network.load_state_dict(state)
