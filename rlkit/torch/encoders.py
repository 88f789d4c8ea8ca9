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

    A context is encoded in two steps: what each transition gives by itself (`codes`), and what they say together
    (`fuse`). Who adapts step by step keeps the codes of the transitions so far.

    Attributes:
        probabilistic: whether the belief is a Gaussian; if not, its variance is 0 and z is its mean.
        context_dim: how many numbers are read of a transition.
    """

    context_dim: int
    probabilistic: bool

    @abstractmethod
    def codes(self, context: Tensor) -> Tensor:
        """What each transition of (..., context_dim) gives, whatever the others, (..., code_dim)."""

    @abstractmethod
    def fuse(self, codes: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """q(z|c).

        Args:
            codes: (tasks, context, code_dim).
            length: (tasks,) transitions that count in each task, the first ones, at least one; None counts all.
            state: what `state_after` gave for the transitions before these; None where these are the first.
        """

    def infer(self, context: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """q(z|c) of (tasks, context, context_dim); the other arguments as of `fuse`."""
        return self.fuse(self.codes(context), length, state)

    def state_after(self, context: Tensor, state: EncoderState | None = None) -> EncoderState | None:
        """What to tell `fuse` of `context` when it encodes the transitions that follow, without gradient.

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

    def codes(self, context: Tensor) -> Tensor:
        """See `ContextEncoder.codes`: the parameters of each transition's factor."""
        return self(context)

    def fuse(self, codes: Tensor, length: Tensor | None = None, state: EncoderState | None = None) -> Belief:
        """See `ContextEncoder.fuse`."""
        assert state is None, "this encoder takes each piece by itself"
        return self._fuse_factors(codes, valid_steps(codes, length))

    def _fuse_factors(self, factors: Tensor, valid: Tensor | None) -> Belief:
        """The belief from `factors` (tasks, context, outputs); `valid` (tasks, context) tells them from padding."""
        weight = None if valid is None else valid.unsqueeze(-1).to(factors.dtype)
        if self.probabilistic:
            mean, raw_var = factors.chunk(2, dim=-1)
            return product_of_gaussians(mean, F.softplus(raw_var), weight)
        if weight is None:
            mean = factors.mean(dim=1)
        else:
            mean = (factors * weight).sum(dim=1) / weight.sum(dim=1)
        return Belief(mean, torch.zeros_like(mean))


def valid_steps(codes: Tensor, length: Tensor | None) -> Tensor | None:
    """Which of `codes` (tasks, context, ...) are among the first `length` (tasks,), (tasks, context); None: all."""
    return None if length is None else torch.arange(codes.shape[1], device=codes.device) < length[:, None]
