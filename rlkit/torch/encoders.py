"""Context encoders: transitions of a task in, belief over the task out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rlkit.torch.distributions import Belief, product_of_gaussians
from rlkit.torch.networks import MLP


class MLPEncoder(MLP):
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
        self.probabilistic = probabilistic

    def infer(self, context: Tensor, length: Tensor | None = None) -> Belief:
        """q(z|c).

        Args:
            context: (tasks, context, context_dim).
            length: (tasks,) transitions that count in each task, at least one; None counts all.
        """
        outputs = self(context)
        weight = None
        if length is not None:
            positions = torch.arange(context.shape[1], device=context.device)
            weight = (positions < length[:, None]).unsqueeze(-1).to(outputs.dtype)
        if self.probabilistic:
            mean, raw_var = outputs.chunk(2, dim=-1)
            return product_of_gaussians(mean, F.softplus(raw_var), weight)
        if weight is None:
            mean = outputs.mean(dim=1)
        else:
            mean = (outputs * weight).sum(dim=1) / weight.sum(dim=1)
        return Belief(mean, torch.zeros_like(mean))
