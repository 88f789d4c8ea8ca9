"""The agent: belief over the task from context, actions from observation and z. It keeps no state of its own."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.torch.distributions import Belief
from rlkit.torch.encoders import Context, ContextEncoder, ContextPiece, EncoderState
from rlkit.torch.fast.acting import ActingPolicy
from rlkit.torch.sac.policies import TanhGaussianPolicy
from rlkit.util.records import FloatArray, IndexArray

ROWS_OF_CODES = 64  # codes are made for a multiple of so many: oneDNN takes a millisecond to prepare for a new number


class PEARLAgent(nn.Module):
    """Context encoder and policy (paper, section 4). Beliefs and z go in and out as values."""

    def __init__(self, context_encoder: ContextEncoder, policy: TanhGaussianPolicy, latent_size: int) -> None:
        super().__init__()
        self.context_encoder = context_encoder
        self.policy = policy
        self.latent_size = latent_size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.policy.last_fc.weight.device

    def prior(self, num_tasks: int) -> Belief:
        """The belief with no context: N(0, I); z = 0 for a deterministic encoder."""
        mean = torch.zeros(num_tasks, self.latent_size, device=self.device)
        return Belief(mean, torch.ones_like(mean) if self.context_encoder.probabilistic else torch.zeros_like(mean))

    def infer(self, context: Context) -> Belief:
        """q(z|c) with its gradient, from (tasks, context, context_dim)."""
        if isinstance(context, ContextPiece):
            return self.context_encoder.infer(context.transitions, state=context.state)
        return self.context_encoder.infer(context)

    def pieces(self, context: Tensor, size: int) -> Iterator[Context]:
        """`context` in pieces of `size` transitions, for truncated back-propagation.

        A piece brings along what the encoder, with its weights of that moment, knows of the pieces before, without
        gradient; the encoders that take each piece by itself know nothing.
        """
        state: EncoderState | None = None
        pieces = context.split(size, dim=1)
        for number, piece in enumerate(pieces):
            yield piece if state is None else ContextPiece(piece, state)
            if number + 1 < len(pieces):
                state = self.context_encoder.state_after(piece, state)

    @torch.no_grad()
    def posterior(self, context: Tensor | FloatArray) -> Belief:
        """q(z|c) to act with: as `infer`, without gradient, from an array of any device."""
        return self.infer(torch.as_tensor(context, device=self.device))

    @torch.no_grad()
    def codes(self, transitions: FloatArray) -> FloatArray:
        """What `fuse` needs of each of `transitions` (steps, context_dim), (steps, code_dim)."""
        steps = len(transitions)
        rows = F.pad(torch.as_tensor(transitions, device=self.device), (0, 0, 0, -steps % ROWS_OF_CODES))
        return self.context_encoder.codes(rows)[:steps].cpu().numpy()

    @torch.no_grad()
    def fuse(self, codes: FloatArray, length: IndexArray) -> Belief:
        """q(z|c) from codes (tasks, context, code_dim), of which the first `length` (tasks,) count."""
        device = self.device
        return self.context_encoder.fuse(
            torch.as_tensor(codes, device=device), torch.as_tensor(length, device=device)
        )

    def actor(self) -> ActingPolicy:
        """Acts with the policy's weights of the moment of this call."""
        return ActingPolicy(self.policy, self.policy.last_fc_log_std, self.latent_size)
