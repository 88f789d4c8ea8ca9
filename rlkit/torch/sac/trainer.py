"""Trainer: the meta-gradient step, and what belongs to it whatever the critics are; subclasses write the losses.

Gradient routes: the critics' loss and the KL reach the encoder; value and policy see z without gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlkit.config.settings import AlgoParams
from rlkit.torch.distributions import Belief, TanhNormal
from rlkit.torch.encoders import Context
from rlkit.torch.fast.adam import Adam, Rates
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.util.errors import RunError
from rlkit.util.records import Batch

Metrics = dict[str, Tensor]


class Noise(NamedTuple):
    """The standard-normal draws of one step."""

    z: Tensor  # (tasks, latent)
    action: Tensor  # (tasks, batch, action_dim)
    next_action: Tensor | None = None  # (tasks, batch, action_dim), for a trainer that `needs_next_action`


class Trainer(ABC):
    """Owns critics and optimizers; changes the agent's weights.

    Attributes:
        agent: context encoder and policy.
        params: what weighs how much.
        needs_next_action: whether the critics' target acts, by `Noise.next_action`.
    """

    needs_next_action = False

    def __init__(
        self,
        agent: PEARLAgent,
        params: AlgoParams,
        *,
        critics: Rates,
        actors: Rates,
        targets: Sequence[tuple[nn.Module, nn.Module]],
    ) -> None:
        """Set up the optimizers: Adam with PyTorch's defaults but for the learning rates.

        Args:
            agent: see the class.
            params: see the class.
            critics: what learns by `critic_loss`, the context encoder among them.
            actors: what learns by `actor_loss`, the policy among them.
            targets: pairs of a target network and the one that it follows slowly.
        """
        self.agent = agent
        self.params = params
        self._critic_loss, self._actor_loss = self.critic_loss, self.actor_loss
        self._critic_adam, self._actor_adam = Adam(critics), Adam(actors)
        self._target_weights: list[Tensor] = [weight for target, _ in targets for weight in target.parameters()]
        self._followed_weights: list[Tensor] = [weight for _, source in targets for weight in source.parameters()]

    def compile(self) -> None:
        """Have torch.compile fuse the operations of the losses and their gradients; takes about a minute at first."""
        self._critic_loss = torch.compile(self.critic_loss)
        self._actor_loss = torch.compile(self.actor_loss)

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """All networks by the names of their weight files."""

    def update(self, batch: Batch, context: Context, noise: Noise) -> Metrics:
        """One meta-gradient step; the order of its parts matters.

        Args:
            batch: transitions for actor and critics, (tasks, batch, ...).
            context: transitions for the encoder, (tasks, context, context_dim).
            noise: draws for z and for the policy's actions.

        Returns:
            Losses and posterior statistics as 0-d tensors, and the tensors behind the prediction statistics.
        """
        loss, z, metrics = self._critic_loss(batch, context, noise)
        self._critic_adam.step(torch.autograd.grad(loss, self._critic_adam.weights))  # no other gradient is computed
        loss, actor_metrics = self._actor_loss(batch.obs, z.detach(), noise.action)  # by the critics just updated
        self._actor_adam.step(torch.autograd.grad(loss, self._actor_adam.weights))
        with torch.no_grad():
            torch._foreach_lerp_(self._target_weights, self._followed_weights, self.params.soft_target_tau)
        return metrics | actor_metrics

    @abstractmethod
    def critic_loss(self, batch: Batch, context: Context, noise: Noise) -> tuple[Tensor, Tensor, Metrics]:
        """What trains the critics and, through z, the encoder: Bellman residuals plus the information bottleneck.

        Returns:
            The loss, z (tasks, batch, latent) with its gradient, metrics.
        """

    @abstractmethod
    def actor_loss(self, obs: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Metrics]:
        """What trains the policy, and what else learns from its actions; the critics get nothing."""

    def _belief_and_z(self, batch: Batch, context: Context, noise: Tensor) -> tuple[Belief, Tensor]:
        """q(z|c), and one z per task that all its rows share, (tasks, batch, latent)."""
        belief = self.agent.infer(context)
        return belief, belief.at(noise).unsqueeze(1).expand(-1, batch.obs.shape[1], -1)

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

    def _regularization(self, policy: TanhNormal) -> Tensor:
        """L2 on the policy's mean and log standard deviation."""
        return (
            self.params.policy_mean_reg_weight * policy.mean.square().mean()
            + self.params.policy_std_reg_weight * policy.log_std.square().mean()
        )

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


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
