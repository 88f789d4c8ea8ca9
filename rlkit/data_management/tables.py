"""Small tables that the host writes and the device reads, and draws from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

MAX_DRAW = 2**62  # far above any count, so that the remainder is uniform for all purposes


def draw_below(counts: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """`num` whole numbers from 0 to below each of `counts` (k,), with replacement, (k, num)."""
    draw = torch.randint(MAX_DRAW, (len(counts), num), generator=generator, device=counts.device)
    return draw % counts.unsqueeze(1)


def layout(tensors: Iterable[Tensor]) -> tuple[int, ...]:
    """Address, shape and strides of each of `tensors`: what work that was captured on them relies on."""
    return tuple(number for tensor in tensors for number in (tensor.data_ptr(), *tensor.shape, *tensor.stride()))


def on_device(values: np.ndarray, before: Tensor, device: torch.device) -> Tensor:
    """`values` on the device, in place of `before` where the shape is the same: a captured graph goes on with it."""
    fresh = torch.from_numpy(values)
    if before.shape != fresh.shape:
        return fresh.to(device, copy=True)
    return before.copy_(fresh)
