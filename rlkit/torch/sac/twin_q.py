"""The losses with two target Q functions in place of the value function (SAC's later form), beyond the paper."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rlkit.config.settings import AlgoParams
from rlkit.torch.fast.adam import Rates
from rlkit.torch.networks import MLP
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import Metrics, Noise, PEARLTrainer, policy_predictions


class Temperature(nn.Module):
    """alpha, which weighs entropy against reward; 1 at first."""

    def __init__(self) -> None:
        """Keep its logarithm, so that it stays positive."""
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(()))


class TwinQTrainer(PEARLTrainer):
    """SAC with clipped double Q targets, and where configured a temperature that is learned.

    Attributes:
        critics: `qf1`, `qf2`, and a target of each that follows it slowly.
        temperature: None where alpha is 1 (`reward_scale` plays its part then, as in the paper).
    """

    needs_next_action = True

    def __init__(self, agent: PEARLAgent, critics: Mapping[str, MLP], params: AlgoParams) -> None:
        self.temperature = Temperature().to(agent.device) if params.auto_alpha else None
        self._fixed_alpha = torch.ones((), device=agent.device)
        super().__init__(agent, critics, params)

    def learns_by_actor_loss(self) -> Rates:
        """The policy, and at its rate the temperature."""
        learners = [self.agent.policy] + ([] if self.temperature is None else [self.temperature])
        return [(network, self.params.policy_lr) for network in learners]

    def networks(self) -> dict[str, nn.Module]:
        """All networks; the temperature among them where it is learned."""
        return super().networks() | ({} if self.temperature is None else {"temperature": self.temperature})

    def next_value(self, next_obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        """min target_q(next_obs, a', z) - alpha log pi(a'), a' from the policy at `next_obs`, (tasks, batch, 1)."""
        assert noise.next_action is not None, "the phase draws noise for the next action"
        action, log_pi = self.agent.policy.distribution(next_obs, z).sample_with_log_prob(noise.next_action)
        inputs = torch.cat([next_obs, action, z], dim=-1)
        next_q = torch.min(self.critics["target_qf1"](inputs), self.critics["target_qf2"](inputs))
        return next_q - self._alpha() * log_pi

    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the policy and the temperature, each by a term of its own; the critics get nothing.

        loss_pi = mean(alpha log pi - min_q) + regularisation, with reparameterised actions,
        loss_alpha = -mean(log alpha * (log pi + target entropy)), without gradient to log pi: the policy's entropy
        is drawn to the target, which is -action_dim where `target_entropy` is None.
        """
        policy = self.agent.policy.distribution(obs, z)
        action, log_pi = policy.sample_with_log_prob(noise)
        min_q = torch.min(*self.q_values(obs, action, z))
        assert min_q.shape == log_pi.shape, (min_q.shape, log_pi.shape)
        alpha = self._alpha()
        policy_loss = (alpha * log_pi - min_q).mean() + self.regularization(policy)
        loss, own = policy_loss, {}
        if self.temperature is not None:
            target_entropy = self.params.target_entropy
            if target_entropy is None:
                target_entropy = -action.shape[-1]
            alpha_loss = -(self.temperature.log_alpha * (log_pi + target_entropy).detach()).mean()
            loss = policy_loss + alpha_loss
            own = {"Alpha": alpha.detach(), "Alpha Loss": alpha_loss.detach()}
        soft_value = min_q - alpha * log_pi  # which a value function would learn
        return loss, Metrics(
            {"Policy Loss": policy_loss.detach()}, policy_predictions(soft_value, log_pi, policy), own
        )

    def _alpha(self) -> Tensor:
        """The temperature without gradient: policy and critics do not train it."""
        if self.temperature is None:
            return self._fixed_alpha
        return self.temperature.log_alpha.detach().exp()
