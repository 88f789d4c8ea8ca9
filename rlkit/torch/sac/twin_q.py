"""The losses with two target Q functions in place of the value function (SAC's later form), beyond the paper."""

from __future__ import annotations

import copy
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


class TwinCritics(NamedTuple):
    """The networks that only training needs."""

    qf1: MLP
    qf2: MLP
    target_qf1: MLP
    target_qf2: MLP


def with_targets(qf1: MLP, qf2: MLP) -> TwinCritics:
    """Targets start as copies."""
    targets = [copy.deepcopy(network).requires_grad_(False) for network in (qf1, qf2)]
    return TwinCritics(qf1, qf2, *targets)


class Temperature(nn.Module):
    """alpha, which weighs entropy against reward; 1 at first."""

    def __init__(self) -> None:
        """Keep its logarithm, so that it stays positive."""
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(()))


class TwinQTrainer(Trainer):
    """SAC with clipped double Q targets, and where configured a temperature that is learned.

    Attributes:
        critics: two Q functions, and two targets that follow them slowly.
        temperature: None where alpha is 1 (`reward_scale` plays its part then, as in the paper).
    """

    needs_next_action = True

    def __init__(self, agent: PEARLAgent, critics: TwinCritics, params: AlgoParams) -> None:
        """Set up the optimizers; the temperature learns at the policy's rate."""
        temperature = Temperature().to(agent.device) if params.auto_alpha else None
        super().__init__(
            agent,
            params,
            critics=[
                (critics.qf1, params.qf_lr),
                (critics.qf2, params.qf_lr),
                (agent.context_encoder, params.context_lr),
            ],
            actors=[(agent.policy, params.policy_lr)]
            + ([] if temperature is None else [(temperature, params.policy_lr)]),
            targets=[(critics.target_qf1, critics.qf1), (critics.target_qf2, critics.qf2)],
        )
        self.critics = critics
        self.temperature = temperature
        self._fixed_alpha = torch.ones((), device=agent.device)

    def networks(self) -> dict[str, nn.Module]:
        """All networks; the temperature among them where it is learned."""
        return {
            "context_encoder": self.agent.context_encoder,
            "policy": self.agent.policy,
            **self.critics._asdict(),
            **({} if self.temperature is None else {"temperature": self.temperature}),
        }

    def critic_loss(self, batch: Batch, context: Context, noise: Noise) -> tuple[Tensor, Tensor, Metrics]:
        """Bellman residuals plus the information bottleneck: what trains the critics and, through z, the encoder.

        loss = mean((q1 - y)^2) + mean((q2 - y)^2) + kl_lambda * KL(q(z|c) || N(0, I)),
        y = reward_scale * reward + (1 - terminal) * discount * (min target_q(next_obs, a', z) - alpha log pi(a')),
        without gradient, a' from the policy at next_obs.
        """
        belief, z = self._belief_and_z(batch, context, noise.z)
        inputs = torch.cat([batch.obs, batch.action, z], dim=-1)
        q1, q2 = self.critics.qf1(inputs), self.critics.qf2(inputs)
        with torch.no_grad():
            assert noise.next_action is not None, "the step draws noise for the next action"
            policy = self.agent.policy.distribution(batch.next_obs, z)
            next_action, next_log_pi = policy.sample_with_log_prob(noise.next_action)
            next_inputs = torch.cat([batch.next_obs, next_action, z], dim=-1)
            next_q = torch.min(self.critics.target_qf1(next_inputs), self.critics.target_qf2(next_inputs))
            next_value = next_q - self._alpha() * next_log_pi
            target = self.params.reward_scale * batch.reward
            target = target + (1.0 - batch.terminal) * self.params.discount * next_value
        assert q1.shape == q2.shape == target.shape == batch.reward.shape, (q1.shape, target.shape)
        q_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        loss, kl_metrics = self._with_bottleneck(q_loss, belief)
        return loss, z, kl_metrics | {"QF Loss": q_loss.detach(), "Q Predictions": q1.detach()}

    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the policy and the temperature, each by a term of its own; the critics get nothing.

        loss_pi = mean(alpha log pi - min_q) + regularisation, with reparameterised actions,
        loss_alpha = -mean(log alpha * (log pi - action_dim)), without gradient to log pi: entropy is drawn to
        -action_dim.
        """
        policy = self.agent.policy.distribution(obs, z)
        action, log_pi = policy.sample_with_log_prob(noise)
        inputs = torch.cat([obs, action, z], dim=-1)
        min_q = torch.min(self.critics.qf1(inputs), self.critics.qf2(inputs))
        assert min_q.shape == log_pi.shape, (min_q.shape, log_pi.shape)
        alpha = self._alpha()
        policy_loss = (alpha * log_pi - min_q).mean() + self._regularization(policy)
        loss, alpha_metrics = policy_loss, {}
        if self.temperature is not None:
            target_entropy = -action.shape[-1]
            alpha_loss = -(self.temperature.log_alpha * (log_pi + target_entropy).detach()).mean()
            loss = policy_loss + alpha_loss
            alpha_metrics = {"Alpha": alpha.detach(), "Alpha Loss": alpha_loss.detach()}
        return loss, {
            "Policy Loss": policy_loss.detach(),
            "V Predictions": (min_q - alpha * log_pi).detach(),  # the soft value that a value function would learn
            "Log Pis": log_pi.detach(),
            "Policy mu": policy.mean.detach(),
            "Policy log std": policy.log_std.detach(),
            **alpha_metrics,
        }

    def _alpha(self) -> Tensor:
        """The temperature without gradient: policy and critics do not train it."""
        if self.temperature is None:
            return self._fixed_alpha
        return self.temperature.log_alpha.detach().exp()
