"""Beliefs, policy and initial weights, against formulas written out once more."""

import math

import numpy as np
import pytest
import torch
from fakes import make_trainer

from rlkit.torch.distributions import Belief, TanhNormal, product_of_gaussians


def make_agent(**settings):
    return make_trainer(net_size=40, encoder_size=30, **settings).agent


def test_product_of_gaussians_multiplies_densities():
    mean, var = torch.randn(2, 3, 4), torch.rand(2, 3, 4) + 0.1
    belief = product_of_gaussians(mean, var)
    grid = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    log_density = -((grid - mean[1, :, 2, None].double()) ** 2 / (2 * var[1, :, 2, None].double())).sum(dim=0)
    density = (log_density - log_density.max()).exp()
    density /= density.sum()
    expected = (density * grid).sum()
    assert belief.mean[1, 2] == pytest.approx(expected.item(), rel=1e-4)
    assert belief.var[1, 2] == pytest.approx((density * (grid - expected) ** 2).sum().item(), rel=1e-4)


def test_tiny_variances_are_clamped():
    belief = product_of_gaussians(torch.ones(1, 2, 1), torch.zeros(1, 2, 1))
    assert belief.var.item() == pytest.approx(0.5e-7)


def test_kl_is_summed_over_tasks_and_dimensions():
    belief = Belief(torch.randn(3, 4), torch.rand(3, 4) + 0.1)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(belief.mean, belief.var.sqrt()), normal(0.0, 1.0)).sum()
    assert belief.kl_to_prior().item() == pytest.approx(expected.item(), rel=1e-5)
    assert belief.kl_to_prior("mean").item() == pytest.approx(expected.item() / 3, rel=1e-5)


def test_log_prob_of_the_squashed_action():
    policy = TanhNormal(torch.randn(5, 2).double(), torch.randn(5, 2).double() - 2)
    action, log_prob = policy.sample_with_log_prob(torch.randn(5, 2).double())
    before = torch.atanh(action)
    normal = torch.distributions.Normal(policy.mean, policy.log_std.exp())
    expected = (normal.log_prob(before) - torch.log(1 - action**2 + 1e-6)).sum(dim=1, keepdim=True)
    torch.testing.assert_close(log_prob, expected)


@pytest.mark.parametrize("probabilistic", [True, False])
def test_padding_does_not_change_the_belief(probabilistic):
    agent = make_agent(use_information_bottleneck=probabilistic)
    context = torch.randn(3, 10, 7)
    length = np.array([10, 4, 1])
    padded = agent.fuse(agent.codes(context), length)
    for task, n in enumerate(length):
        alone = agent.posterior(context[task : task + 1, :n])
        torch.testing.assert_close(padded.mean[task : task + 1], alone.mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(padded.var[task : task + 1], alone.var, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("probabilistic", [True, False])
def test_the_belief_does_not_depend_on_the_order_of_the_context(probabilistic):
    agent = make_agent(use_information_bottleneck=probabilistic)
    context = torch.randn(2, 20, 7)
    shuffled = context[:, torch.randperm(20, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(agent.posterior(context).mean, agent.posterior(shuffled).mean)


def test_the_prior_is_standard_normal_or_zero(device):
    probabilistic = make_agent(device=device)
    assert torch.equal(probabilistic.prior(2).var, torch.ones(2, 5, device=device))
    deterministic = make_agent(use_information_bottleneck=False, device=device)
    assert torch.equal(deterministic.prior(2).sample(torch.Generator(device)), torch.zeros(2, 5, device=device))


def test_acting_is_the_policys_distribution(device):
    agent = make_agent(device=device)
    with torch.no_grad():
        agent.policy.last_fc_log_std.bias.copy_(torch.tensor([0.5, -30.0]))  # the second below the clamp
    obs, z = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), torch.randn(6, 5, device=device)
    distribution = agent.policy.distribution(torch.from_numpy(obs).to(device), z)
    mode = agent.actor()(z, None)(obs)
    assert isinstance(mode, np.ndarray)
    np.testing.assert_allclose(mode, torch.tanh(distribution.mean).detach().cpu(), atol=1e-6)
    noise = torch.randn(6, 2, generator=torch.Generator(device).manual_seed(5), device=device)
    sampled = agent.actor()(z, torch.Generator(device).manual_seed(5))(obs)
    np.testing.assert_allclose(sampled, distribution.sample_with_log_prob(noise)[0].detach().cpu(), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 64, 70])
def test_codes_are_those_of_the_given_transitions(device, steps):
    agent = make_agent(device=device)
    transitions = torch.randn(steps, 7)
    codes = agent.codes(transitions.numpy())
    expected = agent.context_encoder.codes(transitions.to(device)).detach()
    np.testing.assert_allclose(codes, expected.cpu(), atol=1e-6)


def test_inferring_to_act_builds_no_graph():
    agent = make_agent()
    assert not agent.posterior(torch.randn(1, 3, 7)).mean.requires_grad


def test_initial_weights_are_the_references():
    trainer = make_trainer(net_size=40, encoder_size=30)
    agent, critics = trainer.agent, trainer.critics
    for network, width in (
        (agent.context_encoder, 30),
        (agent.policy, 40),
        (critics["qf1"], 40),
        (critics["vf"], 40),
    ):
        for layer in (network.fc0, network.fc1, network.fc2):
            bound = 1 / math.sqrt(width)
            assert 0.9 * bound < layer.weight.abs().max() <= bound
            assert (layer.bias == 0.1).all()
        bound = 1e-3 if network is agent.policy else 3e-3
        assert 0.5 * bound < network.last_fc.weight.abs().max() <= bound
        assert network.last_fc.bias.abs().max() <= bound
    assert 0.5e-3 < agent.policy.last_fc_log_std.weight.abs().max() <= 1e-3
    assert not torch.equal(critics["qf1"].fc0.weight, critics["qf2"].fc0.weight)
    for value, target in zip(critics["vf"].parameters(), critics["target_vf"].parameters(), strict=True):
        assert torch.equal(value, target)
