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


def on_device(values: np.ndarray, before: Tensor, device: torch.device) -> Tensor:
    """`values` on the device, in place of `before` where the shape is the same: a captured graph goes on with it."""
    fresh = torch.from_numpy(values)
    if before.shape != fresh.shape:
        return fresh.to(device, copy=True)
    return before.copy_(fresh)
