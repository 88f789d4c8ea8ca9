"""The attention encoder: transitions of a task look at one another before each gives its factor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rlkit.config.rules import ATTENTION_HEADS
from rlkit.torch.distributions import Belief
from rlkit.torch.encoders import EncoderState, MLPEncoder, valid_steps
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

    def codes(self, context: Tensor) -> Tensor:
        """See `ContextEncoder.codes`: the last hidden layer."""
        return self.features(context).view(*context.shape[:-1], -1)

    def fuse(self, codes: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """See `ContextEncoder.fuse`; padding is not looked at."""
        assert state is None, "this encoder takes each piece by itself"
        tasks, num_steps, width = codes.shape
        hidden = codes.flatten(end_dim=1)
        query, key, value = (
            layer(hidden).view(tasks, num_steps, ATTENTION_HEADS, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        valid = valid_steps(codes, length)
        mask = None if valid is None else valid[:, None, None, :]  # for all heads and all that look
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        merged = self.merge(attended.transpose(1, 2).reshape(-1, width))
        factors = output(self.last_fc, hidden + merged).view(tasks, num_steps, -1)
        return self._fuse_factors(factors, valid)
