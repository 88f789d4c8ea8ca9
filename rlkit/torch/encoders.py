"""Context encoders: transitions of a task in, belief over the task out. Here: what all share, and the MLP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.torch.distributions import Belief, product_of_gaussians
from rlkit.torch.networks import MLP

EncoderState = tuple[Tensor, ...]
"""What an encoder knows of the pieces of a context that went before. A value: it is passed on, never kept."""


class ContextPiece(NamedTuple):
    """A piece of a longer context, and what the encoder knows of the pieces before it."""

    transitions: Tensor  # (tasks, piece, context_dim)
    state: EncoderState


Context: TypeAlias = Tensor | ContextPiece
"""What a belief is inferred from: transitions (tasks, context, context_dim), or a later piece of such a context."""


class ContextEncoder(nn.Module, ABC):
    """What every encoder can do; none of them remembers a context from one call to the next.

    Attributes:
        probabilistic: whether the belief is a Gaussian; if not, its variance is 0 and z is its mean.
        context_dim: how many numbers are read of a transition.
    """

    context_dim: int
    probabilistic: bool

    @abstractmethod
    def infer(self, context: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """q(z|c).

        Args:
            context: (tasks, context, context_dim).
            length: (tasks,) transitions that count in each task, the first ones, at least one; None counts all.
            state: what `state_after` gave for the transitions before these; None where these are the first.
        """

    def state_after(self, context: Tensor, state: EncoderState | None = None) -> EncoderState | None:
        """What to tell `infer` of `context` when it encodes the transitions that follow, without gradient.

        None of an encoder that takes each piece of a context by itself.
        """
        return None


class MLPEncoder(MLP, ContextEncoder):
    """Encodes each transition by itself, so the belief does not depend on their order (paper, section 4.1).

    Probabilistic: each transition gives a Gaussian factor, the belief is their product. Deterministic: z is the
    mean of the outputs.
    """

    def __init__(
        self, context_dim: int, latent_size: int, hidden_dim: int, probabilistic: bool, generator: torch.Generator
    ) -> None:
        """`context_dim` numbers per transition; 2 x `latent_size` outputs, or `latent_size` if deterministic."""
        output_dim = 2 * latent_size if probabilistic else latent_size
        super().__init__(context_dim, output_dim, hidden_dim, generator)
        self.context_dim = context_dim
        self.probabilistic = probabilistic

    def infer(self, context: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """See `ContextEncoder.infer`."""
        assert state is None, "this encoder takes each piece by itself"
        valid = None if length is None else torch.arange(context.shape[1], device=context.device) < length[:, None]
        outputs = self.outputs(context, valid)
        weight = None if valid is None else valid.unsqueeze(-1).to(outputs.dtype)
        if self.probabilistic:
            mean, raw_var = outputs.chunk(2, dim=-1)
            return product_of_gaussians(mean, F.softplus(raw_var), weight)
        if weight is None:
            mean = outputs.mean(dim=1)
        else:
            mean = (outputs * weight).sum(dim=1) / weight.sum(dim=1)
        return Belief(mean, torch.zeros_like(mean))

    def outputs(self, context: Tensor, valid: Tensor | None) -> Tensor:
        """What each transition says, (tasks, context, outputs); `valid` (tasks, context) tells them from padding."""
        del valid  # each speaks for itself
        return self(context)
