"""The actor: a tanh-squashed Gaussian over actions, given observation and task variable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rlkit.core.records import FloatArray
from rlkit.torch.distributions import TanhNormal
from rlkit.torch.networks import MLP, output, output_layer
from rlkit.torch.pytorch_util import small_affine

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


class ActingPolicy:
    """A policy with its weights of one moment, laid out for acting step after step on small batches.

    There the overhead of each operation counts: no gradient, what z adds to the first layer is computed once, both
    heads are one product, the weights lie as the products read them, and numpy, whose operations cost less on so
    few numbers, makes actions of the heads' outputs.
    """

    @torch.no_grad()
    def __init__(self, policy: TanhGaussianPolicy, latent_size: int) -> None:
        """Copy the weights of `policy`."""
        first, heads = policy.fc0, (policy.last_fc, policy.last_fc_log_std)
        obs_dim = first.in_features - latent_size
        self._obs_weight = first.weight[:, :obs_dim].t().contiguous()
        self._z_weight, self._z_bias = first.weight[:, obs_dim:].t().contiguous(), first.bias.clone()
        self._hidden = [(layer.bias.clone(), layer.weight.t().contiguous()) for layer in (policy.fc1, policy.fc2)]
        self._action_dim = policy.last_fc.out_features
        self._head_bias = torch.cat([head.bias for head in heads])
        self._head_weight = torch.cat([head.weight for head in heads]).t().contiguous()

    @torch.inference_mode()
    def for_z(self, z: Tensor, generator: torch.Generator | None) -> Callable[[FloatArray], FloatArray]:
        """Act for lanes whose z (lanes, latent) stays: (lanes, obs_dim) in, (lanes, action_dim) out.

        Exploration noise comes from `generator`; without one the policy is deterministic.
        """
        device, actions = self._z_bias.device, self._action_dim
        z_part = small_affine(self._z_bias, z.to(device), self._z_weight)
        heads = slice(actions) if generator is None else slice(None)  # the mean alone, or both
        head_bias, head_weight = self._head_bias[heads], self._head_weight[:, heads].contiguous()

        @torch.inference_mode()
        def act(obs: FloatArray) -> FloatArray:
            hidden = small_affine(z_part, torch.from_numpy(obs).to(device), self._obs_weight).relu_()
            for bias, weight in self._hidden:
                hidden = small_affine(bias, hidden, weight).relu_()
            out: FloatArray = small_affine(head_bias, hidden, head_weight).cpu().numpy()
            if generator is None:
                return np.tanh(out)
            noise = torch.randn(len(out), actions, generator=generator, device=device).cpu().numpy()
            std = np.exp(np.minimum(np.maximum(out[:, actions:], LOG_STD_MIN), LOG_STD_MAX))
            return np.tanh(out[:, :actions] + std * noise)

        return act
