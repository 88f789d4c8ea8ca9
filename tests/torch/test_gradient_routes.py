"""Who gets the gradient of what: shown by weights that move or do not move."""

import pytest
import torch
from fakes import make_trainer

from rlkit.torch.sac.pearl import Noise
from rlkit.util.records import Batch

TASKS, ROWS, OBS, ACTION, LATENT = 3, 8, 4, 2, 5
FROZEN = 1e-30  # a learning rate that moves nothing


def step(trainer, seed=0, rewards=None):
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, generator=generator)

    batch = Batch(
        randn(TASKS, ROWS, OBS),
        randn(TASKS, ROWS, ACTION).tanh(),
        randn(TASKS, ROWS, 1),
        randn(TASKS, ROWS, OBS),
        torch.zeros(TASKS, ROWS, 1),
    )
    noise = Noise(randn(TASKS, LATENT), randn(TASKS, ROWS, ACTION))
    context = randn(TASKS, 6, OBS + ACTION + 1)
    if rewards is not None:
        context[..., -1] = rewards[:, None]
    return trainer.update(batch, context, noise)


def snapshot(network):
    return [value.clone() for value in network.state_dict().values()]


def moved(network, before):
    return any(not torch.equal(a, b) for a, b in zip(network.state_dict().values(), before, strict=True))


@pytest.mark.parametrize("name", ["context_encoder", "policy", "qf1", "qf2", "vf"])
def test_each_learning_rate_moves_its_own_network(name):
    rates = {"context_encoder": "context_lr", "policy": "policy_lr", "qf1": "qf_lr", "qf2": "qf_lr", "vf": "vf_lr"}
    frozen = dict.fromkeys(set(rates.values()) - {rates[name]}, FROZEN)
    trainer = make_trainer(**frozen)
    before = {key: snapshot(network) for key, network in trainer.networks().items()}
    step(trainer)
    for key, network in trainer.networks().items():
        expected = rates.get(key) == rates[name] or (key == "target_vf" and name == "vf")
        assert moved(network, before[key]) == expected, key


def test_the_encoder_learns_from_the_critics_alone():
    """Without KL and with critics blind to z, no gradient is left that could reach the encoder."""
    trainer = make_trainer(kl_lambda=0.0)
    with torch.no_grad():
        for critic in (trainer.critics["qf1"], trainer.critics["qf2"]):
            critic.fc0.weight[:, -LATENT:] = 0.0
    before = snapshot(trainer.agent.context_encoder)
    step(trainer)
    for new, old in zip(trainer.agent.context_encoder.state_dict().values(), before, strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=1e-12)


def test_the_encoder_learns_from_rewards_alone_where_they_train_it():
    """With a reward model blind to z, no gradient is left: the critics, which see z, give none."""
    trainer = make_trainer(kl_lambda=0.0, encoder_loss="rewards")
    model = trainer.critics["reward_model"]
    with torch.no_grad():
        model.fc0.weight[:, -LATENT:] = 0.0
    before = {key: snapshot(network) for key, network in trainer.networks().items()}
    step(trainer)
    for key, network in trainer.networks().items():
        assert moved(network, before[key]) == (key != "context_encoder"), key


def test_a_reward_model_learns_the_task_by_the_encoder():
    """Rewards that are a constant of the task, told by one transition: what is left of the loss falls to nearly 0."""
    trainer = make_trainer(kl_lambda=0.0, encoder_loss="rewards", context_lr=3e-3)
    losses = [step(trainer, rewards=torch.tensor([-2.0, 0.5, 3.0])).own["Reward Loss"].item() for _ in range(300)]
    assert losses[0] > 3.0
    assert losses[-1] < 0.1


def test_the_target_follows_at_tau():
    trainer = make_trainer(soft_target_tau=0.25)
    before = snapshot(trainer.critics["target_vf"])
    step(trainer)
    values = trainer.critics["vf"].state_dict().values()
    targets = trainer.critics["target_vf"].state_dict().values()
    for target, old, value in zip(targets, before, values, strict=True):
        torch.testing.assert_close(target, 0.75 * old + 0.25 * value)


def test_terminal_transitions_do_not_bootstrap():
    losses = []
    for terminal in (0.0, 1.0):
        trainer = make_trainer(discount=0.5, reward_scale=1.0)
        with torch.no_grad():
            trainer.critics["target_vf"].last_fc.weight.zero_()
            trainer.critics["target_vf"].last_fc.bias.fill_(1000.0)
        zeros = torch.zeros(TASKS, ROWS, 1)
        batch = Batch(
            torch.zeros(TASKS, ROWS, OBS),
            torch.zeros(TASKS, ROWS, ACTION),
            zeros,
            torch.zeros(TASKS, ROWS, OBS),
            zeros + terminal,
        )
        noise = Noise(torch.zeros(TASKS, LATENT), torch.zeros(TASKS, ROWS, ACTION))
        losses.append(trainer.update(batch, torch.zeros(TASKS, 6, OBS + ACTION + 1), noise).means["QF Loss"].item())
    assert losses[0] == pytest.approx(2 * 500.0**2, rel=0.01)
    assert losses[1] < 1.0
