"""The losses of PEARL: those of SAC with a value function, and the context encoder's (paper, algorithm 1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.config.settings import AlgoParams
from rlkit.torch.encoders import Context
from rlkit.torch.networks import MLP
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.trainer import Metrics, Noise, Trainer
from rlkit.util.records import Batch


class Critics(NamedTuple):
    """The networks that only training needs."""

    qf1: MLP
    qf2: MLP
    vf: MLP
    target_vf: MLP


class PEARLTrainer(Trainer):
    """The paper's losses, with a value function.

    Attributes:
        critics: two Q functions, the value function and its slowly following target.
    """

    def __init__(self, agent: PEARLAgent, critics: Critics, params: AlgoParams) -> None:
        """Set up the optimizers."""
        super().__init__(
            agent,
            params,
            critics=[
                (critics.qf1, params.qf_lr),
                (critics.qf2, params.qf_lr),
                (agent.context_encoder, params.context_lr),
            ],
            actors=[(critics.vf, params.vf_lr), (agent.policy, params.policy_lr)],
            targets=[(critics.target_vf, critics.vf)],
        )
        self.critics = critics

    def networks(self) -> dict[str, nn.Module]:
        """All networks by the reference's names."""
        return {
            "context_encoder": self.agent.context_encoder,
            "policy": self.agent.policy,
            **self.critics._asdict(),
        }

    def critic_loss(self, batch: Batch, context: Context, noise: Noise) -> tuple[Tensor, Tensor, Metrics]:
        """Bellman residuals plus the information bottleneck: what trains the critics and, through z, the encoder.

        loss = mean((q1 - y)^2) + mean((q2 - y)^2) + kl_lambda * KL(q(z|c) || N(0, I)),
        y = reward_scale * reward + (1 - terminal) * discount * target_vf(next_obs, z), without gradient.

        Returns:
            The loss, z (tasks, batch, latent) with its gradient, metrics.
        """
        belief, z = self._belief_and_z(batch, context, noise.z)
        inputs = torch.cat([batch.obs, batch.action, z], dim=-1)
        q1, q2 = self.critics.qf1(inputs), self.critics.qf2(inputs)
        with torch.no_grad():
            next_value = self.critics.target_vf(batch.next_obs, z)
            target = self.params.reward_scale * batch.reward
            target = target + (1.0 - batch.terminal) * self.params.discount * next_value
        assert q1.shape == q2.shape == target.shape == batch.reward.shape, (q1.shape, target.shape)
        q_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        loss, kl_metrics = self._with_bottleneck(q_loss, belief)
        return loss, z, kl_metrics | {"QF Loss": q_loss.detach(), "Q Predictions": q1.detach()}

    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the value function and the policy, each by a term of its own; the critics get nothing.

        loss_v = mean((v - (min_q - log pi))^2) without gradient to the target,
        loss_pi = mean(log pi - min_q) + regularisation, with reparameterised actions.
        """
        policy = self.agent.policy.distribution(obs, z)
        action, log_pi = policy.sample_with_log_prob(noise)
        inputs = torch.cat([obs, action, z], dim=-1)
        min_q = torch.min(self.critics.qf1(inputs), self.critics.qf2(inputs))
        value = self.critics.vf(obs, z)
        assert value.shape == min_q.shape == log_pi.shape, (value.shape, min_q.shape, log_pi.shape)
        value_loss = F.mse_loss(value, (min_q - log_pi).detach())
        policy_loss = (log_pi - min_q).mean() + self._regularization(policy)
        return value_loss + policy_loss, {
            "VF Loss": value_loss.detach(),
            "Policy Loss": policy_loss.detach(),
            "V Predictions": value.detach(),
            "Log Pis": log_pi.detach(),
            "Policy mu": policy.mean.detach(),
            "Policy log std": policy.log_std.detach(),
        }
