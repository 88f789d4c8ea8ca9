"""PEARL's update (paper, algorithm 1): SAC with a value function, whose critics train the context encoder through z.

Gradient routes: the critics' residuals, or a reward model's, and the KL reach the encoder; value and policy see
z without gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlkit.config.settings import AlgoParams
from rlkit.torch.distributions import Belief, TanhNormal
from rlkit.torch.encoders import Context, ContextPiece
from rlkit.torch.fast.adam import Adam, Rates
from rlkit.torch.networks import MLP
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.errors import RunError
from rlkit.util.records import Batch

TARGET = "target_"  # the network `target_NAME` follows NAME slowly


class Noise(NamedTuple):
    """The standard-normal draws of one step."""

    z: Tensor  # (tasks, latent)
    action: Tensor  # (tasks, batch, action_dim)
    next_action: Tensor | None = None  # (tasks, batch, action_dim), for a trainer that `needs_next_action`


class Metrics(NamedTuple):
    """What an update tells, without gradient, by the columns of progress.csv and in their order."""

    means: dict[str, Tensor]  # 0-d; their means over a training phase are reported
    predictions: dict[str, Tensor]  # any shape; mean, spread and range of the phase's last ones are
    own: dict[str, Tensor]  # as `means`, columns of a variant's own behind all that the reference has

    @property
    def scalars(self) -> dict[str, Tensor]:
        """All that are averaged."""
        return self.means | self.own

    def joined(self, other: Metrics) -> Metrics:
        """These, then those of `other`."""
        return Metrics(*(mine | theirs for mine, theirs in zip(self, other, strict=True)))


class PEARLTrainer:
    """Owns critics and optimizers; changes the agent's weights.

    Attributes:
        agent: context encoder and policy.
        critics: the networks that only training needs, by the names of their weight files: `qf1`, `qf2`, the value
            function `vf`, and its slowly following target; `reward_model` where that trains the encoder.
        params: what weighs how much.
        needs_next_action: whether `next_value` acts, by `Noise.next_action`.
    """

    needs_next_action = False

    def __init__(self, agent: PEARLAgent, critics: Mapping[str, MLP], params: AlgoParams) -> None:
        """Set up the optimizers: Adam with PyTorch's defaults but for the learning rates."""
        self.agent, self.critics, self.params = agent, dict(critics), params
        self._critic_adam, self._actor_adam = Adam(self.learns_by_critic_loss()), Adam(self.learns_by_actor_loss())
        targets = {name: network for name, network in critics.items() if name.startswith(TARGET)}
        followed = [critics[name.removeprefix(TARGET)] for name in targets]
        self._target_weights: list[Tensor] = [weight for net in targets.values() for weight in net.parameters()]
        self._followed_weights: list[Tensor] = [weight for net in followed for weight in net.parameters()]

    @property
    def learns_rewards(self) -> bool:
        """Whether the encoder learns by predicting rewards, and not from the critics."""
        return self.params.encoder_loss == "rewards"

    def learns_by_critic_loss(self) -> Rates:
        """The critics and, through z, the context encoder; at its rate the reward model."""
        params = self.params
        rates = [
            (self.critics["qf1"], params.qf_lr),
            (self.critics["qf2"], params.qf_lr),
            (self.agent.context_encoder, params.context_lr),
        ]
        return rates + ([(self.critics["reward_model"], params.context_lr)] if self.learns_rewards else [])

    def learns_by_actor_loss(self) -> Rates:
        """The policy and the value function."""
        return [(self.critics["vf"], self.params.vf_lr), (self.agent.policy, self.params.policy_lr)]

    # ---- the gradient step -------------------------------------------------------------------------------

    def update(self, batch: Batch, context: Context, noise: Noise) -> Metrics:
        """One meta-gradient step; the order of its parts matters.

        Args:
            batch: transitions for actor and critics, (tasks, batch, ...).
            context: transitions for the encoder, (tasks, context, context_dim).
            noise: draws for z and for the policy's actions.
        """
        loss, z, metrics = self.critic_loss(batch, context, noise)
        self._critic_adam.step(torch.autograd.grad(loss, self._critic_adam.weights))  # no other gradient is computed
        loss, actor_metrics = self.actor_loss(batch.obs, z.detach(), noise.action)  # by the critics just updated
        self._actor_adam.step(torch.autograd.grad(loss, self._actor_adam.weights))
        with torch.no_grad():
            torch._foreach_lerp_(self._target_weights, self._followed_weights, self.params.soft_target_tau)
        return metrics.joined(actor_metrics)

    def critic_loss(self, batch: Batch, context: Context, noise: Noise) -> tuple[Tensor, Tensor, Metrics]:
        """Bellman residuals plus the information bottleneck: what trains the critics and, through z, the encoder.

        loss = mean((q1 - y)^2) + mean((q2 - y)^2) + kl_lambda * KL(q(z|c) || N(0, I)),
        y = reward_scale * reward + (1 - terminal) * discount * next_value, without gradient.
        Where rewards train the encoder, `reward_loss` is added and the residuals stop at z.

        Returns:
            The loss, z (tasks, batch, latent) with its gradient, metrics.
        """
        belief = self.agent.infer(context)
        task_z = belief.at(noise.z)
        z = task_z.detach() if self.learns_rewards else task_z
        z = z.unsqueeze(1).expand(-1, batch.obs.shape[1], -1)  # one per task, for all its rows
        q1, q2 = self.q_values(batch.obs, batch.action, z)
        with torch.no_grad():
            target = self.params.reward_scale * batch.reward
            target = target + (1.0 - batch.terminal) * self.params.discount * self.next_value(
                batch.next_obs, z, noise
            )
        assert q1.shape == q2.shape == target.shape == batch.reward.shape, (q1.shape, target.shape)
        q_loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        loss, means = self._with_bottleneck(q_loss, belief)
        own = {}
        if self.learns_rewards:
            reward_loss = self.reward_loss(batch, context, task_z)
            loss, own = loss + reward_loss, {"Reward Loss": reward_loss.detach()}
        return loss, z, Metrics(means | {"QF Loss": q_loss.detach()}, {"Q Predictions": q1.detach()}, own)

    def reward_loss(self, batch: Batch, context: Context, z: Tensor) -> Tensor:
        """mean((r(obs, action, z) - reward)^2) over the transitions of `context`; z (tasks, latent).

        What the paper (section 4.1) names beside the critics to train the encoder by: a model of the task.
        """
        transitions = context.transitions if isinstance(context, ContextPiece) else context
        width = batch.obs.shape[-1] + batch.action.shape[-1]
        seen, reward = transitions[..., :width], transitions[..., width : width + 1]
        predicted = self.critics["reward_model"](seen, z.unsqueeze(1).expand(-1, seen.shape[1], -1))
        return F.mse_loss(predicted, reward)

    def next_value(self, next_obs: Tensor, z: Tensor, noise: Noise) -> Tensor:
        """What a transition's end is worth, (tasks, batch, 1): target_vf(next_obs, z)."""
        return self.critics["target_vf"](next_obs, z)

    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the value function and the policy, each by a term of its own; the critics get nothing.

        loss_v = mean((v - (min_q - log pi))^2) without gradient to the target,
        loss_pi = mean(log pi - min_q) + regularisation, with reparameterised actions.
        """
        policy = self.agent.policy.distribution(obs, z)
        action, log_pi = policy.sample_with_log_prob(noise)
        min_q = torch.min(*self.q_values(obs, action, z))
        value = self.critics["vf"](obs, z)
        assert value.shape == min_q.shape == log_pi.shape, (value.shape, min_q.shape, log_pi.shape)
        value_loss = F.mse_loss(value, (min_q - log_pi).detach())
        policy_loss = (log_pi - min_q).mean() + self.regularization(policy)
        means = {"VF Loss": value_loss.detach(), "Policy Loss": policy_loss.detach()}
        return value_loss + policy_loss, Metrics(means, policy_predictions(value, log_pi, policy), {})

    # ---- its parts ---------------------------------------------------------------------------------------

    def q_values(self, obs: Tensor, action: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Both critics' values, (tasks, batch, 1) each."""
        inputs = torch.cat([obs, action, z], dim=-1)
        return self.critics["qf1"](inputs), self.critics["qf2"](inputs)

    def regularization(self, policy: TanhNormal) -> Tensor:
        """L2 on the policy's mean and log standard deviation."""
        return (
            self.params.policy_mean_reg_weight * policy.mean.square().mean()
            + self.params.policy_std_reg_weight * policy.log_std.square().mean()
        )

    def _with_bottleneck(self, q_loss: Tensor, belief: Belief) -> tuple[Tensor, dict[str, Tensor]]:
        """Add kl_lambda * KL(q(z|c) || N(0, I)) where the encoder is probabilistic."""
        if not self.agent.context_encoder.probabilistic:
            return q_loss, {}
        kl = belief.kl_to_prior(self.params.kl_reduction)
        kl_loss = self.params.kl_lambda * kl
        return q_loss + kl_loss, {
            "Z mean train": belief.mean.detach().abs().mean(),
            "Z variance train": belief.var.detach().mean(),
            "KL Divergence": kl.detach(),
            "KL Loss": kl_loss.detach(),
        }

    # ---- around it ---------------------------------------------------------------------------------------

    def compile(self) -> None:
        """Have torch.compile fuse the operations of the losses and their gradients; takes about a minute at first."""
        self.critic_loss = torch.compile(self.critic_loss)  # type: ignore[method-assign]
        self.actor_loss = torch.compile(self.actor_loss)  # type: ignore[method-assign]

    def networks(self) -> dict[str, nn.Module]:
        """All networks by the names of their weight files, which are the reference's."""
        return {"context_encoder": self.agent.context_encoder, "policy": self.agent.policy, **self.critics}

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizers by dotted name, e.g. `weights.policy.fc0.bias` and `adam.actor.gradient.3`."""
        state = {
            f"weights.{net}.{name}": value
            for net, network in self.networks().items()
            for name, value in network.state_dict().items()
        }
        for group, adam in self._adams().items():
            state |= {f"adam.{group}.{name}": value for name, value in adam.state().items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take a state.

        Raises:
            RunError: it is that of other networks.
        """
        try:
            for net, network in self.networks().items():
                network.load_state_dict(_below(state, f"weights.{net}."))
        except RuntimeError as error:
            raise RunError(f"the saved weights of {net} do not fit: {str(error).splitlines()[-1].strip()}") from None
        for group, adam in self._adams().items():
            try:
                adam.restore(_below(state, f"adam.{group}."))
            except ValueError as error:
                raise RunError(str(error)) from None

    def _adams(self) -> dict[str, Adam]:
        return {"critic": self._critic_adam, "actor": self._actor_adam}


def policy_predictions(value: Tensor, log_pi: Tensor, policy: TanhNormal) -> dict[str, Tensor]:
    """What an actor's loss predicts, for the metrics."""
    named = {"V Predictions": value, "Log Pis": log_pi, "Policy mu": policy.mean, "Policy log std": policy.log_std}
    return {name: values.detach() for name, values in named.items()}


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
