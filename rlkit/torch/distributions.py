"""Distributions of the method: the belief over a task, products of Gaussians, the squashed policy."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from rlkit.util.records import IndexArray

MIN_VARIANCE = 1e-7  # lower clamp of a factor's variance
LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0  # bounds of what a policy says before exp
TANH_EPSILON = 1e-6  # keeps log(1 - a^2) finite at a = +-1


class Belief(NamedTuple):
    """q(z|c), a diagonal Gaussian over the task variable z for each task. A value: passed on, never kept.

    A deterministic belief has variance 0: its only sample is its mean.
    """

    mean: Tensor  # (tasks, latent)
    var: Tensor  # (tasks, latent)

    def sample(self, generator: torch.Generator) -> Tensor:
        """One z per task, reparameterised, (tasks, latent)."""
        return self.at(torch.randn(self.mean.shape, generator=generator, device=self.mean.device))

    def at(self, noise: Tensor) -> Tensor:
        """The z that the standard-normal draw `noise` (tasks, latent) makes."""
        return self.mean + self.var.sqrt() * noise

    def kl_to_prior(self, reduction: str = "sum") -> Tensor:
        """KL(q(z|c) || N(0, I)), summed over latent dimensions, and "sum" or "mean" over tasks."""
        kl = 0.5 * (self.var + self.mean.square() - 1.0 - self.var.log()).sum()
        return kl / len(self.mean) if reduction == "mean" else kl

    def rows(self, rows: IndexArray) -> Belief:
        """The beliefs of `rows`, in that order and as often."""
        index = torch.from_numpy(rows).to(self.mean.device)
        return Belief(self.mean[index], self.var[index])

    def with_rows(self, rows: IndexArray, other: Belief) -> Belief:
        """These beliefs, but for `rows`, which have those of `other`."""
        index = torch.from_numpy(rows).to(self.mean.device)
        return Belief(self.mean.index_copy(0, index, other.mean), self.var.index_copy(0, index, other.var))

    def joined(self, other: Belief) -> Belief:
        """These tasks' beliefs, then those of `other`."""
        return Belief(torch.cat([self.mean, other.mean]), torch.cat([self.var, other.var]))


def product_of_gaussians(mean: Tensor, var: Tensor, weight: Tensor | None = None) -> Belief:
    """Fuse one factor per transition into q(z|c), proportional to prod_n N(z; mean_n, var_n) (paper, eq. 3).

    Args:
        mean, var: (tasks, context, latent).
        weight: (tasks, context, 1), 1 for a factor and 0 for padding; None counts all.
    """
    precision = var.clamp(min=MIN_VARIANCE).reciprocal()
    if weight is not None:
        precision = precision * weight
    product_var = precision.sum(dim=1).reciprocal()
    return Belief(product_var * (mean * precision).sum(dim=1), product_var)


class TanhNormal(NamedTuple):
    """A Gaussian squashed by tanh: the policy's distribution over actions in (-1, 1)."""

    mean: Tensor  # (..., action_dim), before the tanh
    log_std: Tensor  # (..., action_dim)

    def sample_with_log_prob(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The action that the standard-normal draw `noise` makes, reparameterised, and its log-probability.

        log pi(a) = sum_i log N(u_i) - log(1 - a_i^2 + 1e-6), with a = tanh(u).

        Returns:
            Action (..., action_dim) and log-probability (..., 1).
        """
        action = torch.tanh(self.mean + self.log_std.exp() * noise)
        log_normal = -0.5 * noise.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        log_det = torch.log(1.0 - action.square() + TANH_EPSILON)
        return action, (log_normal - log_det).sum(dim=-1, keepdim=True)
