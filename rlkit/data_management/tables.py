"""Small tables that the host writes and the device reads, and draws from them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MAX_DRAW = 2**62  # far above any count, so that the remainder is uniform for all purposes


def draw_below(counts: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """`num` whole numbers from 0 to below each of `counts` (k,), with replacement, (k, num)."""
    draw = torch.randint(MAX_DRAW, (len(counts), num), generator=generator, device=counts.device)
    return draw % counts.unsqueeze(1)


class DeviceTable:
    """A table that the host writes as a whole and the device reads.

    Attributes:
        tensor: what is on the device.
        version: how often it was allocated: work that was captured on an older version reads freed memory.
    """

    def __init__(self, values: np.ndarray, device: torch.device) -> None:
        self._device = device
        self._allocate(values)
        self.version = 1

    def write(self, values: np.ndarray) -> None:
        """Take `values`, in place where the shape is the same: what was captured goes on with them."""
        if values.shape == tuple(self.tensor.shape):
            self.tensor.copy_(torch.from_numpy(values))
        else:
            self._allocate(values)
            self.version += 1

    def _allocate(self, values: np.ndarray) -> None:
        self.tensor = torch.from_numpy(values).to(self._device, copy=True)
