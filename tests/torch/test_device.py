"""The training step as a GPU needs it, shown without one: nothing waits for the device, nothing is on another."""

import itertools

import numpy as np
import pytest
import torch
from device_watch import DeviceWatch
from fakes import make_paths
from torch.overrides import TorchFunctionMode

from rlkit.config.rules import make_config
from rlkit.launchers.build import build
from rlkit.launchers.display import ConsoleDisplay

ENCODERS = ("mlp", "recurrent", "attention")
CRITICS = ({"critic": "v"}, {"critic": "twin_q"}, {"critic": "twin_q", "auto_alpha": True})
DATA = (
    {"context_source": "recent", "context_sampling": "transitions"},
    {"context_source": "recent", "context_sampling": "trajectories"},
    {"context_source": "replay", "context_sampling": "transitions"},
    {"context_source": "replay", "context_sampling": "trajectories"},
    {"context_source": "rl_batch"},
)
FORMS = (
    {},
    {"use_information_bottleneck": False},
    {"use_next_obs_in_context": True, "sparse_rewards": True, "kl_reduction": "mean"},
    {"embedding_batch_size": 8},  # two pieces, of which the second has a state with the recurrent encoder
)
PRECISIONS = ("float32", "tf32", "bf16")


def variants():
    """Every encoder with every critic and source of data; every form and precision with each encoder."""
    for encoder, critic, data in itertools.product(ENCODERS, CRITICS, DATA):
        yield {"encoder": encoder, **critic, **data}, "float32"
    for encoder, form, precision in itertools.product(ENCODERS, FORMS, PRECISIONS):
        yield {"encoder": encoder, **form}, precision


def name_of(value):
    return "-".join(str(each) for each in value.values()) if isinstance(value, dict) else value


def training_of(device, algo=None, precision="float32"):
    """The training phase of a run, as the launcher builds it, with some data."""
    params = {"embedding_batch_size": 4, "embedding_mini_batch_size": 4, "meta_batch": 3, "batch_size": 8}
    params |= {"max_path_length": 5, "num_initial_steps": 10, "num_steps_per_eval": 10}
    config = make_config(
        {
            "env_name": "sparse-point-robot",
            "n_train_tasks": 3,
            "n_eval_tasks": 1,
            "net_size": 8,
            "encoder_size": 8,
            "seed": 1,
            "env_params": {"n_tasks": 4},
            "algo_params": params | (algo or {}),
            "util_params": {"on_nan": "continue", "precision": precision},
        },
        "test",
    )
    parts = build(config, device=torch.device(device), display=ConsoleDisplay(1), stop=lambda: None)
    parts.close()
    _, trainer, training, experience, *_ = parts
    paths = make_paths(np.arange(3), 12)  # of three numbers per observation; the family has two
    experience.add(paths._replace(obs=paths.obs[..., :2], next_obs=paths.next_obs[..., :2]), as_context=True)
    return trainer, training


@pytest.fixture
def meta(monkeypatch):
    """The device that computes nothing; it has no generators of its own and takes the CPU's."""
    own = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": own("cpu"))
    return torch.device("meta")


def faults_of(training, device, num_steps=2):
    training.start(0)
    with DeviceWatch(device) as watch:
        try:
            training.run(num_steps, lambda: None)
        except RuntimeError as error:  # torch itself refuses some of them
            watch.faults.append(str(error))
    return watch.faults


@pytest.mark.parametrize(("algo", "precision"), list(variants()), ids=name_of)
def test_a_step_can_be_captured(algo, precision):
    _, training = training_of("cpu", algo, precision)
    assert faults_of(training, "cpu") == []


@pytest.mark.parametrize(("algo", "precision"), [each for each in variants() if each[1] != "bf16"], ids=name_of)
def test_a_step_is_whole_on_its_device(meta, algo, precision):
    _, training = training_of(meta, algo, precision)
    assert faults_of(training, meta) == []


def plant(trainer, fault):
    """Have each update do something more."""
    update = trainer.update

    def planted(batch, *args):
        fault(batch.reward)
        return update(batch, *args)

    trainer.update = planted


WAITING = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "if": lambda x: bool((x > 0).any()),
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "nonzero": lambda x: x.nonzero(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "mask": lambda x: x[x > 0],
    "mask_put": lambda x: x.clone().index_put_((x > 0,), x.sum()),
    "unique": lambda x: x.unique(),
    "equal": lambda x: torch.equal(x, x),
}
ELSEWHERE = {
    "constant": lambda x: x * torch.tensor(2.0),
    "ones": lambda x: x + torch.ones(x.shape),
    "arange": lambda x: x[torch.arange(2)],
    "from_numpy": lambda x: x + torch.from_numpy(np.ones(1, dtype=np.float32)),
    "randn": lambda x: torch.randn(3),
    "copy": lambda x: x.clone().copy_(torch.ones(x.shape, device="cpu")),
    "told another": lambda x: x[torch.zeros(1, dtype=torch.int64, device="cpu")],
}


@pytest.mark.parametrize("fault", WAITING)
def test_a_wait_put_in_on_purpose_is_found(fault):
    trainer, training = training_of("cpu")
    plant(trainer, WAITING[fault])
    assert faults_of(training, "cpu", num_steps=1)


def test_an_array_put_in_on_purpose_is_found_on_the_cpu_too():
    trainer, training = training_of("cpu")
    plant(trainer, ELSEWHERE["from_numpy"])
    assert faults_of(training, "cpu", num_steps=1) == ["from_numpy makes a tensor on the CPU"]


@pytest.mark.parametrize("fault", ELSEWHERE)
def test_a_tensor_elsewhere_put_in_on_purpose_is_found(meta, fault):
    trainer, training = training_of(meta)
    plant(trainer, ELSEWHERE[fault])
    assert faults_of(training, meta, num_steps=1)


UP = {torch.as_tensor: "as_tensor", torch.tensor: "tensor"}
DOWN = {torch.Tensor.numpy: "numpy", torch.Tensor.tolist: "tolist", torch.Tensor.item: "item"}


class Transfers(TorchFunctionMode):
    """The calls that take numbers from the host to the device, and back."""

    def __init__(self):
        super().__init__()
        self.up, self.down = [], []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in UP:
            self.up.append(UP[func])
        if func in DOWN:
            self.down.append(DOWN[func])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("explores", [True, False])
def test_a_policy_call_takes_one_way_up_and_one_down(monkeypatch, explores):
    trainer, _ = training_of("cpu")
    agent, lanes = trainer.agent, 4
    generator = torch.Generator().manual_seed(0)
    act = agent.actor()(torch.zeros(lanes, agent.latent_size), generator if explores else None)
    from_numpy = torch.from_numpy
    with Transfers() as transfers:
        monkeypatch.setattr(torch, "from_numpy", lambda array: transfers.up.append("from_numpy") or from_numpy(array))
        for _ in range(3):
            act(np.zeros((lanes, 2), dtype=np.float32))
    assert transfers.up == ["from_numpy"] * 3  # the observations
    assert transfers.down == ["numpy"] * 3  # the actions, with what explores
