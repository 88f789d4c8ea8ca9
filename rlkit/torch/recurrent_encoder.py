"""The recurrent encoder: an LSTM reads the context in order (paper, section 6.3 and figure 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.torch.distributions import MIN_VARIANCE, Belief
from rlkit.torch.encoders import ContextEncoder, EncoderState
from rlkit.torch.networks import MLP, output


class RecurrentEncoder(MLP, ContextEncoder):
    """Three layers for each transition, an LSTM over them, and one Gaussian from its last hidden state.

    Hidden and cell state are zero before the first transition of every call that is given none: nothing survives
    from one task, evaluation or training step to another.
    """

    def __init__(
        self, context_dim: int, latent_size: int, hidden_dim: int, probabilistic: bool, generator: torch.Generator
    ) -> None:
        """`context_dim` numbers per transition; the LSTM is as wide as the layers before it."""
        output_dim = 2 * latent_size if probabilistic else latent_size
        super().__init__(context_dim, output_dim, hidden_dim, generator)
        self.lstm = _lstm(hidden_dim, generator)
        self.context_dim = context_dim
        self.probabilistic = probabilistic

    def codes(self, context: Tensor) -> Tensor:
        """See `ContextEncoder.codes`: what the LSTM reads."""
        return self.features(context).view(*context.shape[:-1], -1)

    def fuse(self, codes: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        hidden, _ = self.lstm(codes, state)
        if length is None:
            last = hidden[:, -1]
        else:
            last = hidden[torch.arange(len(hidden), device=hidden.device), length - 1]
        outputs = output(self.last_fc, last)
        if not self.probabilistic:
            return Belief(outputs, torch.zeros_like(outputs))
        mean, raw_var = outputs.chunk(2, dim=-1)
        return Belief(mean, F.softplus(raw_var).clamp(min=MIN_VARIANCE))

    @torch.no_grad()
    def state_after(self, context: Tensor, state: EncoderState | None = None) -> EncoderState:
        """Hidden and cell state behind `context`, each (1, tasks, hidden_dim), without gradient."""
        _, (hidden, cell) = self.lstm(self.codes(context), state)
        return hidden, cell


def _lstm(hidden_dim: int, generator: torch.Generator) -> nn.LSTM:
    """One layer with PyTorch's initial weights, drawn from `generator` (the global one is not touched)."""
    lstm = nn.LSTM(hidden_dim, hidden_dim, batch_first=True, device="meta").to_empty(device="cpu")  # draws nothing
    bound = hidden_dim**-0.5
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.uniform_(-bound, bound, generator=generator)
    return lstm
