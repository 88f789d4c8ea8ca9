"""The PEARL update: one meta-gradient step of SAC and the context encoder (paper, algorithm 1).

Gradient routes: the critics' loss and the KL reach the encoder; value and policy see z without gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlkit.core.config import AlgoParams
from rlkit.core.errors import RunError
from rlkit.core.records import Batch
from rlkit.torch.distributions import Belief
from rlkit.torch.encoders import Context
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
        self._critic_loss, self._actor_loss = self.critic_loss, self.actor_loss
        self._critic_weights = [
            *critics.qf1.parameters(),
            *critics.qf2.parameters(),
            *agent.context_encoder.parameters(),
        ]
        self._actor_weights = [*critics.vf.parameters(), *agent.policy.parameters()]
        self._value_weights: list[Tensor] = list(critics.vf.parameters())
        self._target_weights: list[Tensor] = list(critics.target_vf.parameters())
        self._critic_optimizer = _adam(
            (critics.qf1, params.qf_lr), (critics.qf2, params.qf_lr), (agent.context_encoder, params.context_lr)
        )
        self._actor_optimizer = _adam((critics.vf, params.vf_lr), (agent.policy, params.policy_lr))

    def compile(self) -> None:
        """Have torch.compile fuse the operations of the losses and their gradients; takes about a minute at first."""
        self._critic_loss = torch.compile(self.critic_loss)
        self._actor_loss = torch.compile(self.actor_loss)

    def networks(self) -> dict[str, nn.Module]:
        """All networks by the reference's names."""
        return {
            "context_encoder": self.agent.context_encoder,
            "policy": self.agent.policy,
            **self.critics._asdict(),
        }

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizers by dotted name, e.g. `weights.policy.fc0.bias` and `adam.actor.3.exp_avg`."""
        state = {
            f"weights.{net}.{name}": value
            for net, network in self.networks().items()
            for name, value in network.state_dict().items()
        }
        for group, optimizer in self._optimizers().items():
            for index, entries in optimizer.state_dict()["state"].items():
                state |= {f"adam.{group}.{index}.{name}": value for name, value in entries.items()}
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
        for group, optimizer in self._optimizers().items():
            entries: dict[int, dict[str, Tensor]] = {}
            for name, value in _below(state, f"adam.{group}.").items():
                index, entry = name.split(".")
                entries.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"critic": self._critic_optimizer, "actor": self._actor_optimizer}

    def update(self, batch: Batch, context: Context, noise: Noise) -> Metrics:
        """One meta-gradient step; the order of its parts matters.

        Args:
            batch: transitions for actor and critics, (tasks, batch, ...).
            context: transitions for the encoder, (tasks, context, context_dim).
            noise: draws for z and for the policy's actions.

        Returns:
            Losses and posterior statistics as 0-d tensors, and the tensors behind the prediction statistics.
        """
        loss, z, metrics = self._critic_loss(batch, context, noise.z)
        _step(self._critic_optimizer, self._critic_weights, loss)
        loss, actor_metrics = self._actor_loss(batch.obs, z.detach(), noise.action)  # by the critics just updated
        _step(self._actor_optimizer, self._actor_weights, loss)
        with torch.no_grad():
            torch._foreach_lerp_(self._target_weights, self._value_weights, self.params.soft_target_tau)
        return metrics | actor_metrics

    def critic_loss(self, batch: Batch, context: Context, noise: Tensor) -> tuple[Tensor, Tensor, Metrics]:
        """Bellman residuals plus the information bottleneck: what trains the critics and, through z, the encoder.

        loss = mean((q1 - y)^2) + mean((q2 - y)^2) + kl_lambda * KL(q(z|c) || N(0, I)),
        y = reward_scale * reward + (1 - terminal) * discount * target_vf(next_obs, z), without gradient.

        Returns:
            The loss, z (tasks, batch, latent) with its gradient, metrics.
        """
        belief = self.agent.infer(context)
        z = belief.at(noise).unsqueeze(1).expand(-1, batch.obs.shape[1], -1)  # one z per task, shared by its rows
        q1 = self.critics.qf1(batch.obs, batch.action, z)
        q2 = self.critics.qf2(batch.obs, batch.action, z)
        with torch.no_grad():
            next_value = self.critics.target_vf(batch.next_obs, z)
            target = self.params.reward_scale * batch.reward
            target = target + (1.0 - batch.terminal) * self.params.discount * next_value
        assert q1.shape == q2.shape == target.shape == batch.reward.shape, (q1.shape, target.shape)
        q_loss = (q1 - target).square().mean() + (q2 - target).square().mean()
        loss, kl_metrics = self._with_bottleneck(q_loss, belief)
        return loss, z, kl_metrics | {"QF Loss": q_loss.detach(), "Q Predictions": q1.detach()}

    def _with_bottleneck(self, q_loss: Tensor, belief: Belief) -> tuple[Tensor, Metrics]:
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

    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the value function and the policy, each by a term of its own; the critics get nothing.

        loss_v = mean((v - (min_q - log pi))^2) without gradient to the target,
        loss_pi = mean(log pi - min_q) + regularisation, with reparameterised actions.
        """
        policy = self.agent.policy.distribution(obs, z)
        action, log_pi = policy.sample_with_log_prob(noise)
        min_q = torch.min(self.critics.qf1(obs, action, z), self.critics.qf2(obs, action, z))
        value = self.critics.vf(obs, z)
        assert value.shape == min_q.shape == log_pi.shape, (value.shape, min_q.shape, log_pi.shape)
        value_loss = (value - (min_q - log_pi).detach()).square().mean()
        policy_loss = (
            (log_pi - min_q).mean()
            + self.params.policy_mean_reg_weight * policy.mean.square().mean()
            + self.params.policy_std_reg_weight * policy.log_std.square().mean()
        )
        return value_loss + policy_loss, {
            "VF Loss": value_loss.detach(),
            "Policy Loss": policy_loss.detach(),
            "V Predictions": value.detach(),
            "Log Pis": log_pi.detach(),
            "Policy mu": policy.mean.detach(),
            "Policy log std": policy.log_std.detach(),
        }


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _step(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], loss: Tensor) -> None:
    """One optimizer step on `weights` alone: no other gradient is computed."""
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
    optimizer.step()


def _adam(*networks: tuple[nn.Module, float]) -> torch.optim.Adam:
    """Adam over networks with a learning rate each; Adam treats every weight by itself, so one serves several."""
    return torch.optim.Adam([{"params": list(net.parameters()), "lr": lr} for net, lr in networks], fused=True)
