"""A trained agent used from Python; the reference's weights and configs among them."""

import json
from collections import OrderedDict

import numpy as np
import pytest
import torch

from rlkit.launchers.trained_agent import load_experiment
from rlkit.util.errors import UserError


def load(path):
    with np.load(path) as data:
        return {key: data[key] for key in data.files}


def save_reference_run(golden, folder):
    """A folder as the reference leaves it: variant.json, and one state dict per network."""
    nets = {}
    for key, value in golden.items():
        if key.startswith("before/"):
            _, net, name = key.split("/")
            nets.setdefault(net, OrderedDict())[name] = torch.from_numpy(value)
    for net, state in nets.items():
        torch.save(state, folder / f"{net}.pth")
    variant = {
        "env_name": "cheetah-dir",
        "latent_size": golden["config/latent_size"].item(),
        "net_size": golden["config/net_size"].item(),
        "encoder_size": golden["config/encoder_size"].item(),
        "algo_params": {
            "use_information_bottleneck": bool(golden["config/use_information_bottleneck"]),
            "use_next_obs_in_context": bool(golden["config/use_next_obs_in_context"]),
        },
        "util_params": {"base_log_dir": "output", "use_gpu": True, "gpu_id": 0, "debug": False, "docker": False},
    }
    (folder / "variant.json").write_text(json.dumps(variant))
    return folder


def transitions_of(golden, task, step=0):
    """A task's context as a user has it: (obs, action, reward, next_obs) one by one."""
    obs_dim, action_dim = golden["config/obs_dim"].item(), golden["config/action_dim"].item()
    for row in golden[f"step{step}/context"][task]:
        obs, action, reward, next_obs = np.split(row, np.cumsum([obs_dim, action_dim, 1]))
        yield obs, action, reward[0], next_obs


@pytest.mark.parametrize("case", ["update_default", "update_next_obs", "update_deterministic"])
def test_weights_of_the_reference_give_its_belief_and_its_actions(golden_dir, tmp_path, case):
    golden = load(golden_dir / "update" / f"{case}.npz")
    agent = load_experiment(save_reference_run(golden, tmp_path))
    before_tanh = []
    for task in range(len(golden["step0/context"])):
        belief = agent.update(agent.prior(), transitions_of(golden, task))
        np.testing.assert_allclose(belief.mean, golden["step0/z_mean"][task], rtol=1e-4, atol=1e-6)
        z = belief.mean
        if "step0/z_var" in golden:
            np.testing.assert_allclose(belief.var, golden["step0/z_var"][task], rtol=1e-4, atol=1e-6)
            z = belief.mean + np.sqrt(belief.var) * golden["step0/z_noise"][task]
        act = agent.actor(z)
        for obs in golden["step0/observations"][task]:
            before_tanh.append(policy_mean(golden, obs, z))
            np.testing.assert_allclose(act(obs), np.tanh(before_tanh[-1]), atol=1e-5)
    assert np.mean(before_tanh) == pytest.approx(golden["step0/stat/Policy mu Mean"].item(), rel=1e-4)


def policy_mean(golden, obs, z):
    """The policy's mean, written out once more."""
    hidden = np.concatenate([obs, z])
    for layer in ("fc0", "fc1", "fc2"):
        weight, bias = golden[f"before/policy/{layer}.weight"], golden[f"before/policy/{layer}.bias"]
        hidden = np.maximum(weight @ hidden + bias, 0.0)
    return golden["before/policy/last_fc.weight"] @ hidden + golden["before/policy/last_fc.bias"]


@pytest.fixture
def agent(golden_dir, tmp_path):
    return load_experiment(save_reference_run(load(golden_dir / "update/update_default.npz"), tmp_path))


def test_a_belief_is_a_value_that_grows_by_updates(golden_dir, agent):
    transitions = list(transitions_of(load(golden_dir / "update/update_default.npz"), 1))
    prior = agent.prior()
    first = agent.update(prior, transitions[:5])
    both = agent.update(first, transitions[5:])
    whole = agent.update(prior, transitions)
    np.testing.assert_allclose(both.mean, whole.mean, atol=1e-6)
    assert len(first.context) == 5
    assert len(prior.context) == 0
    assert prior.mean.tolist() == [0.0] * 5
    assert prior.var.tolist() == [1.0] * 5
    assert agent.update(first, []) is first


def test_draws_come_from_the_generators_that_one_gives(agent):
    prior = agent.prior()
    one, same, other = (prior.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()
    obs = np.zeros(agent.agent.policy.fc0.in_features - 5)
    noisy = [agent.actor(one, noise_seed=seed)(obs).tolist() for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1] != noisy[2]
    assert noisy[0] != agent.actor(one)(obs).tolist()


def test_what_does_not_belong_together_is_named(golden_dir, tmp_path):
    def message(**arguments):
        with pytest.raises(UserError) as error:
            load_experiment(**arguments)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "no such folder" in message(folder=tmp_path / "nowhere")
    assert "variant.json" in message(folder=tmp_path)
    run = save_reference_run(load(golden_dir / "update/update_default.npz"), tmp_path)
    variant = json.loads((run / "variant.json").read_text())
    for change, part in (({"net_size": 7}, "(7,)"), ({"latent_size": 99}, "latent_size")):
        (tmp_path / "other.json").write_text(json.dumps(variant | change))
        assert part in message(folder=run, config=tmp_path / "other.json")
    torch.save({"weird": torch.zeros(1)}, run / "policy.pth")
    assert "weird" in message(folder=run)
    (run / "policy.pth").unlink()
    assert "policy.pth" in message(folder=run)


def test_next_observations_are_read_where_the_agent_was_trained_so(golden_dir, tmp_path):
    golden = load(golden_dir / "update/update_next_obs.npz")
    agent = load_experiment(save_reference_run(golden, tmp_path))
    context = agent.update(agent.prior(), transitions_of(golden, 0)).context
    np.testing.assert_array_equal(context, golden["step0/context"][0])
