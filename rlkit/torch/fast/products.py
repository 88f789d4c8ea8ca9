"""Small matrix products by the library that begins them soonest; the plain twin is `plain_product`."""

from __future__ import annotations

import torch
from torch import Tensor

SMALL_PRODUCT = 1_000_000  # multiplications up to which oneDNN's dispatch costs more than it gains


def small_product(rows: Tensor, weight: Tensor, add: Tensor | None = None) -> Tensor:
    """rows @ weight, plus `add` where given, the quickest way for the batches of acting.

    oneDNN takes some ten microseconds to find its kernel, which is more than the default library needs for the whole
    of a small product.
    """
    if rows.is_cuda or len(rows) * weight.numel() > SMALL_PRODUCT:
        return plain_product(rows, weight, add)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return plain_product(rows, weight, add)
    finally:
        torch.set_float32_matmul_precision(before)


def plain_product(rows: Tensor, weight: Tensor, add: Tensor | None) -> Tensor:
    """The same by the library that is set."""
    return torch.mm(rows, weight) if add is None else torch.addmm(add, rows, weight)
