"""The attention encoder: transitions of a task look at one another before each gives its factor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rlkit.core.config import ATTENTION_HEADS
from rlkit.torch.encoders import MLPEncoder
from rlkit.torch.networks import hidden_layer, output


class AttentionEncoder(MLPEncoder):
    """The MLP encoder with one layer of self-attention before its output layer.

    No transition has a place in a row, so the belief does not depend on their order. The work grows with the square
    of the context.
    """

    def __init__(
        self, context_dim: int, latent_size: int, hidden_dim: int, probabilistic: bool, generator: torch.Generator
    ) -> None:
        """As `MLPEncoder`; `hidden_dim` is a multiple of ATTENTION_HEADS."""
        super().__init__(context_dim, latent_size, hidden_dim, probabilistic, generator)
        self.query, self.key, self.value, self.merge = (
            hidden_layer(hidden_dim, hidden_dim, generator) for _ in range(4)
        )

    def outputs(self, context: Tensor, valid: Tensor | None) -> Tensor:
        """See `MLPEncoder.outputs`; padding is not looked at."""
        tasks, length, _ = context.shape
        hidden = self.features(context)  # (tasks * context, hidden_dim)
        query, key, value = (
            layer(hidden).view(tasks, length, ATTENTION_HEADS, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mask = None if valid is None else valid[:, None, None, :]  # for all heads and all that look
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        merged = self.merge(attended.transpose(1, 2).reshape(hidden.shape))
        return output(self.last_fc, hidden + merged).view(tasks, length, -1)
