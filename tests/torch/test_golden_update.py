"""Two consecutive steps of the reference's update: weights to 1e-5, statistics to 1e-4 relative."""

import numpy as np
import pytest
import torch
from fakes import make_trainer

from rlkit.config.settings import AlgoParams
from rlkit.torch.sac.pearl import Noise
from rlkit.util.records import Batch

NUM_STEPS = 2


def load(path):
    with np.load(path) as data:
        return {key: data[key] for key in data.files}


def golden_trainer(golden, device="cpu"):
    settings = {
        key.removeprefix("config/"): value.item() for key, value in golden.items() if key.startswith("config/")
    }
    lr = settings["lr"]
    names = AlgoParams.model_fields.keys() & settings.keys()
    algo = {name: settings[name] for name in names} | dict.fromkeys(("policy_lr", "qf_lr", "vf_lr", "context_lr"), lr)
    sizes = {name: settings[name] for name in ("latent_size", "net_size", "encoder_size")}
    return make_trainer(settings["obs_dim"], settings["action_dim"], **sizes, device=device, **algo)


def weights_of(golden, prefix):
    nets = {}
    for key, value in golden.items():
        if key.startswith(prefix + "/"):
            net, name = key.removeprefix(prefix + "/").split("/")
            nets.setdefault(net, {})[name] = torch.from_numpy(value)
    return nets


@pytest.mark.parametrize("case", ["update_default", "update_next_obs", "update_deterministic"])
def test_two_steps(golden_dir, case, device):
    golden = load(golden_dir / "update" / f"{case}.npz")
    trainer = golden_trainer(golden, device)
    networks = trainer.networks()
    before = weights_of(golden, "before")
    assert before.keys() == networks.keys()
    for name, weights in before.items():
        networks[name].load_state_dict(weights, strict=True)

    for step in range(NUM_STEPS):
        data = {
            k.removeprefix(f"step{step}/"): torch.from_numpy(np.atleast_1d(v)).to(device)
            for k, v in golden.items()
            if k.startswith(f"step{step}/")
        }
        batch = Batch(
            data["observations"], data["actions"], data["rewards"], data["next_observations"], data["terminals"]
        )
        belief = trainer.agent.infer(data["context"])
        np.testing.assert_allclose(belief.mean.detach().cpu(), data["z_mean"].cpu(), rtol=1e-4, atol=1e-6)
        if "z_var" in data:
            np.testing.assert_allclose(belief.var.detach().cpu(), data["z_var"].cpu(), rtol=1e-4, atol=1e-6)

        z_noise = data.get("z_noise", torch.zeros_like(belief.mean))
        metrics = trainer.update(batch, data["context"], Noise(z_noise, data["action_noise"]))

        expected = {k.removeprefix("stat/"): v.item() for k, v in data.items() if k.startswith("stat/")}
        assert expected
        for name, value in expected.items():
            scalars, predictions = metrics.scalars, metrics.predictions
            got = scalars[name] if name in scalars else predictions[name.removesuffix(" Mean")].mean()
            np.testing.assert_allclose(got.item(), value, rtol=1e-4, err_msg=f"{name}, step {step}")
        for net, weights in weights_of(golden, f"after{step}").items():
            for name, value in weights.items():
                np.testing.assert_allclose(
                    networks[net].state_dict()[name].cpu(),
                    value,
                    atol=1e-5,
                    rtol=0,
                    err_msg=f"{net}.{name}, step {step}",
                )
