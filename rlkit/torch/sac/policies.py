"""The actor: a tanh-squashed Gaussian over actions, given observation and task variable."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit.torch.distributions import LOG_STD_MAX, LOG_STD_MIN, TanhNormal
from rlkit.torch.networks import MLP, output, output_layer

HEAD_BOUND = 1e-3  # both heads start within +- this


class TanhGaussianPolicy(MLP):
    """pi(a | s, z): heads `last_fc` for the mean and `last_fc_log_std` for the log standard deviation."""

    def __init__(
        self, obs_dim: int, latent_size: int, action_dim: int, hidden_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__(obs_dim + latent_size, action_dim, hidden_dim, generator)
        self.last_fc = output_layer(hidden_dim, action_dim, HEAD_BOUND, generator)
        self.last_fc_log_std = output_layer(hidden_dim, action_dim, HEAD_BOUND, generator)

    def distribution(self, obs: Tensor, z: Tensor) -> TanhNormal:
        """pi(. | obs, z) for (..., obs_dim) and (..., latent)."""
        hidden = self.features(obs, z)
        shape = (*obs.shape[:-1], -1)
        log_std = output(self.last_fc_log_std, hidden).clamp(LOG_STD_MIN, LOG_STD_MAX)
        return TanhNormal(output(self.last_fc, hidden).view(shape), log_std.view(shape))
