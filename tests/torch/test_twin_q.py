"""The update with twin target critics, against the formulas written out once more."""

import copy
from types import SimpleNamespace

import pytest
import torch
from fakes import make_trainer as make_any_trainer

from rlkit.torch.sac.pearl import Noise
from rlkit.torch.sac.weights import load_weights, save_weights
from rlkit.util.records import Batch

TASKS, ROWS, OBS, ACTION, LATENT = 3, 8, 4, 2, 5


def make_trainer(seed=3, **settings):
    trainer = make_any_trainer(seed=seed, critic="twin_q", **settings)
    with torch.no_grad():
        for name in ("qf1", "qf2"):  # fresh critics say about 0 to everything
            trainer.critics[name].last_fc.weight.normal_()
            trainer.critics[f"target_{name}"].load_state_dict(trainer.critics[name].state_dict())
    return trainer


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(*shape, generator=generator)

    terminal = (randn(TASKS, ROWS, 1) > 0.5).float()
    batch = Batch(
        randn(TASKS, ROWS, OBS),
        randn(TASKS, ROWS, ACTION).tanh(),
        randn(TASKS, ROWS, 1),
        randn(TASKS, ROWS, OBS),
        terminal,
    )
    noise = Noise(randn(TASKS, LATENT), randn(TASKS, ROWS, ACTION), randn(TASKS, ROWS, ACTION))
    return batch, randn(TASKS, 6, OBS + ACTION + 1), noise


def snapshot(network):
    return [weight.clone() for weight in network.state_dict().values()]


def act(trainer, obs, z, noise):
    """Action and log-probability by torch's own distributions."""
    policy = trainer.agent.policy.distribution(obs, z)
    normal = torch.distributions.Normal(policy.mean, policy.log_std.exp())
    before = policy.mean + policy.log_std.exp() * noise
    action = before.tanh()
    return action, (normal.log_prob(before) - torch.log(1 - action**2 + 1e-6)).sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("log_alpha", [None, -1.5])
def test_the_losses_are_those_of_the_formulas(inputs, log_alpha):
    trainer = make_trainer(auto_alpha=log_alpha is not None, discount=0.9, reward_scale=3.0, kl_lambda=0.7)
    alpha = 1.0
    if log_alpha is not None:
        trainer.temperature.log_alpha.data.fill_(log_alpha)
        alpha = torch.tensor(log_alpha).exp().item()
    batch, context, noise = inputs
    nets = SimpleNamespace(**trainer.critics)
    loss, z, metrics = trainer.critic_loss(batch, context, noise)
    belief = trainer.agent.infer(context)
    assert torch.equal(z[:, 0], belief.mean + belief.var.sqrt() * noise.z)
    next_action, next_log_pi = act(trainer, batch.next_obs, z, noise.next_action)
    next_q = torch.min(
        nets.target_qf1(batch.next_obs, next_action, z), nets.target_qf2(batch.next_obs, next_action, z)
    )
    target = 3.0 * batch.reward + (1 - batch.terminal) * 0.9 * (next_q - alpha * next_log_pi)
    q_loss = sum(((q(batch.obs, batch.action, z) - target) ** 2).mean() for q in (nets.qf1, nets.qf2))
    torch.testing.assert_close(metrics.means["QF Loss"], q_loss)
    torch.testing.assert_close(loss, q_loss + 0.7 * belief.kl_to_prior())

    loss, metrics = trainer.actor_loss(batch.obs, z.detach(), noise.action)
    action, log_pi = act(trainer, batch.obs, z, noise.action)
    min_q = torch.min(nets.qf1(batch.obs, action, z), nets.qf2(batch.obs, action, z))
    policy = trainer.agent.policy.distribution(batch.obs, z)
    expected = (alpha * log_pi - min_q).mean() + 1e-3 * (policy.mean**2).mean() + 1e-3 * (policy.log_std**2).mean()
    torch.testing.assert_close(metrics.means["Policy Loss"], expected)
    torch.testing.assert_close(metrics.predictions["V Predictions"], min_q - alpha * log_pi)
    if log_alpha is None:
        torch.testing.assert_close(loss, expected)
        assert metrics.own == {}
    else:
        torch.testing.assert_close(metrics.own["Alpha Loss"], -log_alpha * (log_pi - ACTION).mean())
        torch.testing.assert_close(loss, expected + metrics.own["Alpha Loss"])


def test_the_target_gives_no_gradient(inputs):
    trainer = make_trainer(auto_alpha=True, kl_lambda=0.0)
    loss, *_ = trainer.critic_loss(*inputs)
    loss.backward()
    untouched = (
        trainer.agent.policy,
        trainer.critics["target_qf1"],
        trainer.critics["target_qf2"],
        trainer.temperature,
    )
    for network in untouched:
        assert all(weight.grad is None for weight in network.parameters())
    assert trainer.agent.context_encoder.last_fc.weight.grad.abs().max() > 0


def test_a_step_moves_all_networks_and_the_targets_at_tau(inputs):
    trainer = make_trainer(auto_alpha=True, soft_target_tau=0.25)
    before = {name: snapshot(network) for name, network in trainer.networks().items()}
    trainer.update(*inputs)
    for name, network in trainer.networks().items():
        assert any(not torch.equal(new, old) for new, old in zip(snapshot(network), before[name], strict=True)), name
    for name in ("qf1", "qf2"):
        followed, target = (snapshot(trainer.networks()[net]) for net in (name, f"target_{name}"))
        for new, old, source in zip(target, before[f"target_{name}"], followed, strict=True):
            torch.testing.assert_close(new, 0.75 * old + 0.25 * source)


@pytest.mark.parametrize(
    ("log_std", "target_entropy", "rises"),
    [(-5.0, None, True), (1.0, None, False), (1.0, 50.0, True), (-5.0, -50.0, False)],
)
def test_the_temperature_draws_entropy_to_its_target(inputs, log_std, target_entropy, rises):
    trainer = make_trainer(auto_alpha=True, target_entropy=target_entropy)
    with torch.no_grad():
        trainer.agent.policy.last_fc_log_std.bias.fill_(log_std)
    trainer.update(*inputs)
    assert (trainer.temperature.log_alpha.item() > 0) == rises


@pytest.mark.parametrize("auto_alpha", [False, True])
def test_weights_and_state_are_saved_and_loaded(inputs, tmp_path, auto_alpha):
    trainer = make_trainer(auto_alpha=auto_alpha)
    trainer.update(*inputs)
    save_weights(trainer, tmp_path)
    names = {"context_encoder", "policy", "qf1", "qf2", "target_qf1", "target_qf2"} | (
        {"temperature"} if auto_alpha else set()
    )
    assert {path.stem for path in tmp_path.glob("*.pth")} == names
    loaded, restored = (make_trainer(seed=4, auto_alpha=auto_alpha) for _ in range(2))
    load_weights(loaded, tmp_path)
    restored.restore(copy.deepcopy(trainer.state()))
    for other in (loaded, restored):
        for name, network in trainer.networks().items():
            for one, two in zip(snapshot(network), snapshot(other.networks()[name]), strict=True):
                assert torch.equal(one, two), name
    trainer.update(*inputs)
    restored.update(*inputs)  # the optimizers' state was restored too
    for one, two in zip(snapshot(trainer.critics["qf1"]), snapshot(restored.critics["qf1"]), strict=True):
        assert torch.equal(one, two)
