"""The same gradient step as one would first write it, to measure what the project's own gains."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from rlkit.torch.sac.pearl import Noise, PEARLTrainer
from rlkit.util.records import Batch


class PlainUpdate:
    """Textbook PEARL on copies of a trainer's networks: `backward()` through everything, Adam's default loop."""

    def __init__(self, trainer: PEARLTrainer) -> None:
        """Copy the networks; the trainer itself is not changed."""
        self.params = trainer.params
        self.probabilistic = trainer.agent.context_encoder.probabilistic
        self.encoder, self.policy = copy.deepcopy(trainer.agent.context_encoder), copy.deepcopy(trainer.agent.policy)
        self.qf1, self.qf2, self.vf, self.target_vf = copy.deepcopy(trainer.critics)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=self.params.qf_lr, foreach=False)
            for network in (self.encoder, self.policy, self.qf1, self.qf2, self.vf)
        ]

    def update(self, batch: Batch, context: Tensor, noise: Noise) -> None:
        """One step; see `PEARLTrainer.update`."""
        encoder_opt, policy_opt, qf1_opt, qf2_opt, vf_opt = self.optimizers
        belief = self.encoder.infer(context)
        z = belief.at(noise.z).unsqueeze(1).expand(-1, batch.obs.shape[1], -1)
        policy = self.policy.distribution(batch.obs, z.detach())
        new_action, log_pi = policy.sample_with_log_prob(noise.action)

        q1, q2 = self.qf1(batch.obs, batch.action, z), self.qf2(batch.obs, batch.action, z)
        value = self.vf(batch.obs, z.detach())
        with torch.no_grad():
            next_value = self.target_vf(batch.next_obs, z)
        target = self.params.reward_scale * batch.reward + (1 - batch.terminal) * self.params.discount * next_value
        loss = ((q1 - target) ** 2).mean() + ((q2 - target) ** 2).mean()
        if self.probabilistic:
            loss = loss + self.params.kl_lambda * belief.kl_to_prior()
        for optimizer in (encoder_opt, qf1_opt, qf2_opt):
            optimizer.zero_grad()
        loss.backward()
        for optimizer in (encoder_opt, qf1_opt, qf2_opt):
            optimizer.step()

        min_q = torch.min(self.qf1(batch.obs, new_action, z.detach()), self.qf2(batch.obs, new_action, z.detach()))
        vf_opt.zero_grad()
        ((value - (min_q - log_pi).detach()) ** 2).mean().backward()
        vf_opt.step()
        for old, new in zip(self.target_vf.parameters(), self.vf.parameters(), strict=True):
            old.data.copy_(old.data * (1 - self.params.soft_target_tau) + new.data * self.params.soft_target_tau)

        policy_loss = (log_pi - min_q).mean()
        policy_loss = policy_loss + 1e-3 * (policy.mean**2).mean() + 1e-3 * (policy.log_std**2).mean()
        policy_opt.zero_grad()
        policy_loss.backward()
        policy_opt.step()
