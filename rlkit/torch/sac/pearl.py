"""The PEARL update: one meta-gradient step of SAC and the context encoder (paper, algorithm 1).

Gradient routes: the critics' loss and the KL reach the encoder; value and policy see z without gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlkit.core.config import AlgoParams
from rlkit.core.records import Batch
from rlkit.torch.distributions import Belief
from rlkit.torch.networks import MLP
from rlkit.torch.sac.agent import PEARLAgent

Metrics = dict[str, Tensor]


class Noise(NamedTuple):
    """The standard-normal draws of one step."""

    z: Tensor  # (tasks, latent)
    action: Tensor  # (tasks, batch, action_dim)


class Critics(NamedTuple):
    """The networks that only training needs."""

    qf1: MLP
    qf2: MLP
    vf: MLP
    target_vf: MLP


class PEARLTrainer:
    """Owns critics and optimizers; changes the agent's weights.

    Attributes:
        agent: context encoder and policy.
        critics: two Q functions, the value function and its slowly following target.
    """

    def __init__(self, agent: PEARLAgent, critics: Critics, params: AlgoParams) -> None:
        """Set up the optimizers: Adam with PyTorch's defaults but for the learning rates."""
        self.agent = agent
        self.critics = critics
        self.params = params
        self._encoder_weights = list(agent.context_encoder.parameters())
        self._critic_weights = [*critics.qf1.parameters(), *critics.qf2.parameters()]
        self._value_weights = list(critics.vf.parameters())
        self._policy_weights = list(agent.policy.parameters())
        self._target_weights: list[Tensor] = list(critics.target_vf.parameters())
        self._critic_optimizer = _adam(
            {"params": self._critic_weights, "lr": params.qf_lr},
            {"params": self._encoder_weights, "lr": params.context_lr},
        )
        self._value_optimizer = _adam({"params": self._value_weights, "lr": params.vf_lr})
        self._policy_optimizer = _adam({"params": self._policy_weights, "lr": params.policy_lr})

    def networks(self) -> dict[str, nn.Module]:
        """All networks by the reference's names."""
        return {
            "context_encoder": self.agent.context_encoder,
            "policy": self.agent.policy,
            **self.critics._asdict(),
        }

    def update(self, batch: Batch, context: Tensor, noise: Noise) -> Metrics:
        """One meta-gradient step; the order of its parts matters.

        Args:
            batch: transitions for actor and critics, (tasks, batch, ...).
            context: transitions for the encoder, (tasks, context, context_dim).
            noise: draws for z and for the policy's actions.

        Returns:
            Losses and posterior statistics as 0-d tensors, and the tensors behind the prediction statistics.
        """
        belief = self.agent.infer(context)
        z_of_task = belief.at(noise.z)  # one z per task, shared by all its transitions
        z = z_of_task.unsqueeze(1).expand(-1, batch.obs.shape[1], -1)
        z_fixed = z.detach()

        policy = self.agent.policy.distribution(batch.obs, z_fixed)
        new_action, log_pi = policy.sample_with_log_prob(noise.action)

        metrics, q1 = self._update_critics_and_encoder(batch, z, belief)
        min_q = self._min_q(batch.obs, new_action, z_fixed)  # by the critics just updated
        value_loss, value = self._update_value(batch.obs, z_fixed, (min_q - log_pi).detach())
        regularization = (
            self.params.policy_mean_reg_weight * policy.mean.square().mean()
            + self.params.policy_std_reg_weight * policy.log_std.square().mean()
        )
        policy_loss = (log_pi - min_q).mean() + regularization
        self._step(self._policy_optimizer, self._policy_weights, policy_loss)

        return metrics | {
            "VF Loss": value_loss.detach(),
            "Policy Loss": policy_loss.detach(),
            "Q Predictions": q1.detach(),
            "V Predictions": value.detach(),
            "Log Pis": log_pi.detach(),
            "Policy mu": policy.mean.detach(),
            "Policy log std": policy.log_std.detach(),
        }

    def _update_critics_and_encoder(self, batch: Batch, z: Tensor, belief: Belief) -> tuple[Metrics, Tensor]:
        """Bellman residuals plus the information bottleneck; the only gradient that reaches the encoder."""
        q1 = self.critics.qf1(batch.obs, batch.action, z)
        q2 = self.critics.qf2(batch.obs, batch.action, z)
        with torch.no_grad():
            next_value = self.critics.target_vf(batch.next_obs, z)
            target = self.params.reward_scale * batch.reward
            target = target + (1.0 - batch.terminal) * self.params.discount * next_value
        assert q1.shape == q2.shape == target.shape == batch.reward.shape, (q1.shape, target.shape)
        q_loss = (q1 - target).square().mean() + (q2 - target).square().mean()
        metrics, loss = {}, q_loss
        if self.agent.context_encoder.probabilistic:
            kl = belief.kl_to_prior()
            kl_loss = self.params.kl_lambda * kl
            loss = q_loss + kl_loss
            metrics = {
                "Z mean train": belief.mean.detach().abs().mean(),
                "Z variance train": belief.var.detach().mean(),
                "KL Divergence": kl.detach(),
                "KL Loss": kl_loss.detach(),
            }
        self._step(self._critic_optimizer, self._critic_weights + self._encoder_weights, loss)
        return metrics | {"QF Loss": q_loss.detach()}, q1

    def _min_q(self, obs: Tensor, action: Tensor, z: Tensor) -> Tensor:
        return torch.min(self.critics.qf1(obs, action, z), self.critics.qf2(obs, action, z))

    def _update_value(self, obs: Tensor, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Move vf towards the soft value of the current policy, then target_vf towards vf."""
        value = self.critics.vf(obs, z)
        assert value.shape == target.shape, (value.shape, target.shape)
        loss = (value - target).square().mean()
        self._step(self._value_optimizer, self._value_weights, loss)
        with torch.no_grad():
            torch._foreach_lerp_(self._target_weights, list[Tensor](self._value_weights), self.params.soft_target_tau)
        return loss, value

    def _step(self, optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], loss: Tensor) -> None:
        """One optimizer step on `weights` alone: no other gradient is computed."""
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        optimizer.step()


def _adam(*groups: dict[str, object]) -> torch.optim.Adam:
    return torch.optim.Adam(list(groups), fused=True)
