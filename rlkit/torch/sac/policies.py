"""The actor: a tanh-squashed Gaussian over actions, given observation and task variable."""

from __future__ import annotations

import torch
from torch import Tensor

from rlkit.torch.distributions import TanhNormal
from rlkit.torch.networks import MLP, output, output_layer

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
HEAD_BOUND = 1e-3  # both heads start within +- this


class TanhGaussianPolicy(MLP):
    """pi(a | s, z): heads `last_fc` for the mean and `last_fc_log_std` for the log standard deviation."""

    def __init__(
        self, obs_dim: int, latent_size: int, action_dim: int, hidden_dim: int, generator: torch.Generator
    ) -> None:
        """Sizes of one observation, z and action."""
        super().__init__(obs_dim + latent_size, action_dim, hidden_dim, generator)
        self.last_fc = output_layer(hidden_dim, action_dim, HEAD_BOUND, generator)
        self.last_fc_log_std = output_layer(hidden_dim, action_dim, HEAD_BOUND, generator)

    def distribution(self, obs: Tensor, z: Tensor) -> TanhNormal:
        """pi(. | obs, z) for (..., obs_dim) and (..., latent)."""
        hidden = self.features(obs, z)
        shape = (*obs.shape[:-1], -1)
        log_std = output(self.last_fc_log_std, hidden).clamp(LOG_STD_MIN, LOG_STD_MAX)
        return TanhNormal(output(self.last_fc, hidden).view(shape), log_std.view(shape))

    def for_z(self, z: Tensor) -> FixedZPolicy:
        """The policy for one z per lane, (lanes, latent), for the length of a rollout."""
        return FixedZPolicy(self, z)


class FixedZPolicy:
    """pi(. | s, z) of a batch of lanes whose z stays: what z adds to the first layer is computed once.

    Made for acting, step after step on small batches, where the overhead of each operation counts: no gradient.
    """

    @torch.no_grad()
    def __init__(self, policy: TanhGaussianPolicy, z: Tensor) -> None:
        """Take the weights of `policy` as they are now."""
        obs_dim = policy.fc0.in_features - z.shape[1]
        weight = policy.fc0.weight
        self._z_part = torch.addmm(policy.fc0.bias, z, weight[:, obs_dim:].t())
        self._obs_weight = weight[:, :obs_dim].t()
        self._hidden = [(layer.bias, layer.weight.t()) for layer in (policy.fc1, policy.fc2)]
        self._mean_head = (policy.last_fc.bias, policy.last_fc.weight.t())
        self._log_std_head = (policy.last_fc_log_std.bias, policy.last_fc_log_std.weight.t())

    @torch.inference_mode()
    def act(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions (lanes, action_dim) for `obs` (lanes, obs_dim); without a generator, the mode."""
        hidden = torch.addmm(self._z_part, obs, self._obs_weight).relu_()
        for bias, weight in self._hidden:
            hidden = torch.addmm(bias, hidden, weight).relu_()
        mean = torch.addmm(self._mean_head[0], hidden, self._mean_head[1])
        if generator is None:
            return mean.tanh_()
        log_std = torch.addmm(self._log_std_head[0], hidden, self._log_std_head[1]).clamp_(LOG_STD_MIN, LOG_STD_MAX)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return mean.addcmul_(log_std.exp_(), noise).tanh_()
