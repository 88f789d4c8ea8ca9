"""How the cost of a step grows with its sizes, and that of collecting with the lanes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rlkit.config.files import changed_config
from rlkit.config.settings import Config

from . import sampling, update
from .timing import Case

SIZES = {
    "algo_params.meta_batch": (4, 8, 16, 32),
    "algo_params.batch_size": (64, 128, 256, 512),
    "net_size": (75, 150, 300, 600),
}
LANES = (5, 10, 30, 60, 128)


def measure(config: Config, device: torch.device, seconds: float) -> Iterator[tuple[str, Case]]:
    """One size changed at a time, the others as `config` has them."""
    for key, values in SIZES.items():
        configs = {f"{key.split('.')[-1]} {value}": changed_config(config, {key: value}) for value in values}
        yield from update.measure(configs, device, seconds, beside=False)
    yield from sampling.measure({"collect": config}, "collect", LANES, device, seconds)
