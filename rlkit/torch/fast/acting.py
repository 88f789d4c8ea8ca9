"""Acting step after step: the policy's own distribution, with less overhead.

The plain twin is `TanhGaussianPolicy.distribution`, its mean or a sample of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.torch.distributions import LOG_STD_MAX, LOG_STD_MIN
from rlkit.torch.fast.products import small_product
from rlkit.torch.networks import MLP
from rlkit.util.records import FloatArray


class ActingPolicy:
    """A policy with its weights of one moment, laid out for acting step after step on small batches.

    There the overhead of each operation counts: no gradient, what z adds to the first layer is computed once, both
    heads are one product, and numpy, whose operations cost less on so few numbers, makes actions of their outputs.
    Each layer has one more unit, which is always 1: its weights are the biases of the next layer.
    """

    @torch.no_grad()
    def __init__(self, policy: MLP, log_std_head: nn.Linear, latent_size: int) -> None:
        """Copy the weights of `policy`, whose last layer gives the means, and of the head beside it."""
        first = F.pad(policy.fc0.weight.t(), (0, 1))
        self._obs_weight, self._z_weight = first.split([len(first) - latent_size, latent_size])
        self._first_bias = F.pad(policy.fc0.bias, (0, 1), value=1.0)
        self._hidden = [F.pad(_with_bias(layer), (0, 1)) for layer in (policy.fc1, policy.fc2)]
        for weight in self._hidden:
            weight[-1, -1] = 1.0
        self._action_dim = policy.last_fc.out_features
        self._mean_weight = _with_bias(policy.last_fc)
        self._heads_weight = torch.cat([self._mean_weight, _with_bias(log_std_head)], dim=1)

    @torch.inference_mode()
    def __call__(self, z: Tensor, generator: torch.Generator | None) -> Callable[[FloatArray], FloatArray]:
        """Act for lanes whose z (lanes, latent) stays: (lanes, obs_dim) in, (lanes, action_dim) out.

        Exploration noise comes from `generator`; without one the policy is deterministic.
        """
        device, actions = self._first_bias.device, self._action_dim
        z_part = small_product(z.to(device), self._z_weight, self._first_bias)

        @torch.inference_mode()
        def act(obs: FloatArray) -> FloatArray:
            hidden = small_product(torch.from_numpy(obs).to(device), self._obs_weight, z_part).relu_()
            for weight in self._hidden:
                hidden = small_product(hidden, weight).relu_()
            if generator is None:
                return np.tanh(small_product(hidden, self._mean_weight).cpu().numpy())
            heads = small_product(hidden, self._heads_weight)
            noise = torch.randn(len(obs), actions, generator=generator, device=device)
            both: FloatArray = torch.cat([heads, noise], dim=1).cpu().numpy()  # each way to the host is a wait
            mean, log_std, drawn = both[:, :actions], both[:, actions : 2 * actions], both[:, 2 * actions :]
            return np.tanh(mean + np.exp(np.minimum(np.maximum(log_std, LOG_STD_MIN), LOG_STD_MAX)) * drawn)

        return act


def _with_bias(layer: nn.Linear) -> Tensor:
    """Weights as a product reads them, and the bias below them, (inputs + 1, outputs)."""
    return torch.cat([layer.weight.t(), layer.bias[None]])
