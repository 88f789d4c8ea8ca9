"""The plain twin of the gradient step: the same numbers as one would first write it, to check and to time."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from rlkit.torch.distributions import Belief
from rlkit.torch.encoders import Context, ContextPiece
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import TARGET, Noise, PEARLTrainer
from rlkit.torch.sac.twin_q import TwinQTrainer
from rlkit.util.records import Batch


class PlainUpdate:
    """Textbook PEARL on copies of a trainer's networks: `backward()` through all, torch.optim's Adam in a loop.

    Attributes:
        networks: the copies, by the names that the trainer gives them.
    """

    def __init__(self, trainer: PEARLTrainer) -> None:
        """Copy the networks; the trainer itself is not changed."""
        self.params = trainer.params
        self.networks: dict[str, Any] = copy.deepcopy(trainer.networks())
        self.agent = PEARLAgent(self.networks["context_encoder"], self.networks["policy"], trainer.agent.latent_size)
        self.twin_q = isinstance(trainer, TwinQTrainer)
        self.learns_rewards = trainer.learns_rewards
        rates = {"context_encoder": self.params.context_lr, "reward_model": self.params.context_lr}
        rates |= {"qf1": self.params.qf_lr, "qf2": self.params.qf_lr}
        rates |= {"vf": self.params.vf_lr, "policy": self.params.policy_lr, "temperature": self.params.policy_lr}
        self.optimizers = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=rate, foreach=False)
            for name, rate in rates.items()
            if name in self.networks
        }

    def update(self, batch: Batch, context: Context, noise: Noise) -> None:
        belief = self.agent.infer(context)
        task_z, loss = belief.at(noise.z), self._kl_loss(belief)
        if self.learns_rewards:
            self._step(loss + self._reward_loss(batch, context, task_z), "context_encoder", "reward_model")
            task_z, loss = task_z.detach(), torch.zeros(())
        z = task_z.unsqueeze(1).expand(-1, batch.obs.shape[1], -1)
        target = self.params.reward_scale * batch.reward
        target = target + (1 - batch.terminal) * self.params.discount * self._next_value(batch, z, noise).detach()
        for name in ("qf1", "qf2"):
            loss = loss + ((self._q(name, batch.obs, batch.action, z) - target) ** 2).mean()
        self._step(loss, "qf1", "qf2", *([] if self.learns_rewards else ["context_encoder"]))

        z, alpha = z.detach(), self._alpha()
        policy = self.agent.policy.distribution(batch.obs, z)
        action, log_pi = policy.sample_with_log_prob(noise.action)
        min_q = torch.min(self._q("qf1", batch.obs, action, z), self._q("qf2", batch.obs, action, z))
        policy_loss = (alpha * log_pi - min_q).mean()
        policy_loss = policy_loss + self.params.policy_mean_reg_weight * (policy.mean**2).mean()
        policy_loss = policy_loss + self.params.policy_std_reg_weight * (policy.log_std**2).mean()
        if not self.twin_q:
            self._step(((self.networks["vf"](batch.obs, z) - (min_q - log_pi).detach()) ** 2).mean(), "vf")
        self._step(policy_loss, "policy")
        if "temperature" in self.networks:
            log_alpha = self.networks["temperature"].log_alpha
            target_entropy = self.params.target_entropy
            target_entropy = -action.shape[-1] if target_entropy is None else target_entropy
            self._step(-(log_alpha * (log_pi.detach() + target_entropy)).mean(), "temperature")
        self._follow()

    def _next_value(self, batch: Batch, z: Tensor, noise: Noise) -> Tensor:
        if not self.twin_q:
            return self.networks["target_vf"](batch.next_obs, z)
        assert noise.next_action is not None, "the phase draws noise for the next action"
        action, log_pi = self.agent.policy.distribution(batch.next_obs, z).sample_with_log_prob(noise.next_action)
        q1, q2 = (self._q(f"target_{name}", batch.next_obs, action, z) for name in ("qf1", "qf2"))
        return torch.min(q1, q2) - self._alpha() * log_pi

    def _reward_loss(self, batch: Batch, context: Context, z: Tensor) -> Tensor:
        transitions = context.transitions if isinstance(context, ContextPiece) else context
        sizes = [batch.obs.shape[-1], batch.action.shape[-1], 1]
        obs, action, reward = transitions[..., : sum(sizes)].split(sizes, dim=-1)
        rows_z = z.unsqueeze(1).expand(-1, obs.shape[1], -1)
        return ((self.networks["reward_model"](obs, action, rows_z) - reward) ** 2).mean()

    def _q(self, name: str, obs: Tensor, action: Tensor, z: Tensor) -> Tensor:
        return self.networks[name](obs, action, z)

    def _alpha(self) -> float:
        return self.networks["temperature"].log_alpha.exp().item() if "temperature" in self.networks else 1.0

    def _kl_loss(self, belief: Belief) -> Tensor:
        if not self.params.use_information_bottleneck:
            return torch.zeros(())
        normal = torch.distributions.Normal
        kl = torch.distributions.kl_divergence(normal(belief.mean, belief.var.sqrt()), normal(0.0, 1.0)).sum(dim=1)
        return self.params.kl_lambda * (kl.mean() if self.params.kl_reduction == "mean" else kl.sum())

    def _step(self, loss: Tensor, *names: str) -> None:
        for name in names:
            self.optimizers[name].zero_grad()
        loss.backward()
        for name in names:
            self.optimizers[name].step()

    def _follow(self) -> None:
        tau = self.params.soft_target_tau
        for name, target in self.networks.items():
            if name.startswith(TARGET):
                followed = self.networks[name.removeprefix(TARGET)]
                for old, new in zip(target.parameters(), followed.parameters(), strict=True):
                    old.data.copy_(old.data * (1 - tau) + new.data * tau)
