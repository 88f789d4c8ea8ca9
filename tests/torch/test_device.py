"""The training step as a GPU needs it, shown without one: nothing waits for the device, nothing is on another."""

import itertools
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from device_watch import DeviceWatch
from fakes import ACTION_DIM, OBS_DIM, FakeEnv, make_paths, make_trainer
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from rlkit.config.rules import make_config
from rlkit.config.settings import AlgoParams
from rlkit.core.collector import Collector
from rlkit.core.evaluation import Evaluator
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.experience import Experience
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.launchers.build import build
from rlkit.launchers.display import ConsoleDisplay
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.fast.cuda_graph import WARM_UP_CALLS

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
    {"encoder_loss": "rewards"},
    {"use_next_obs_in_context": True, "sparse_rewards": True, "kl_reduction": "mean"},
    {"embedding_batch_size": 8},  # two pieces, of which the second has a state with the recurrent encoder
)
CONSTRUCTORS = set(_device_constructors())
PRECISIONS = ("float32", "tf32", "bf16")


def variants():
    """Every encoder with every critic and source of data; every form and precision with each encoder."""
    for encoder, critic, data in itertools.product(ENCODERS, CRITICS, DATA):
        yield {"encoder": encoder, **critic, **data}, "float32"
    for encoder, form, precision in itertools.product(ENCODERS, FORMS, PRECISIONS):
        yield {"encoder": encoder, **form}, precision


def pairs_of_variants():
    """Enough of them that any two choices meet; bfloat16 does all that float32 does."""
    whole = list(variants())
    exact = [each for each in whole if each[1] == "float32"][: len(ENCODERS) * len(CRITICS) * len(DATA)]
    return exact[::2] + [each for each in whole if each[1] == "bf16"]


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


@pytest.mark.parametrize(("algo", "precision"), pairs_of_variants(), ids=name_of)
def test_a_step_is_whole_on_its_device(gpu, algo, precision):
    """On a real GPU, as a graph too."""
    _, training = training_of(gpu, algo, precision)
    assert faults_of(training, gpu) == []
    if gpu.type == "cuda":
        training.run(WARM_UP_CALLS, lambda: None)
        assert not training._advance.is_stale, "the capture failed"


COMPILED = [("mlp", critic) for critic in CRITICS] + [("attention", CRITICS[0])]  # torch breaks off at any LSTM


def compiled_faults_of(trainer, training):
    """What torch.compile stumbles over in a step, and constructors in its graphs that are told no device."""
    faults = []

    def look(module, inputs):
        made = [node for node in module.graph.nodes if node.target in CONSTRUCTORS and "device" not in node.kwargs]
        faults.extend(f"{node.target.__name__} is told no device" for node in made)
        for node in module.graph.nodes:
            value = node.meta.get("example_value")
            sizes = value.shape if isinstance(value, torch.Tensor) else [value]
            if any(isinstance(size, torch.SymInt | torch.SymFloat | torch.SymBool) for size in sizes):
                faults.append(f"{node.target} waits for the device")
        return module.forward

    for name in ("critic_loss", "actor_loss"):
        setattr(trainer, name, torch.compile(getattr(trainer, name), fullgraph=True, dynamic=False, backend=look))
    training.start(0)
    try:
        training.run(1, lambda: None)
    except torch._dynamo.exc.Unsupported as error:
        faults.append(str(error).splitlines()[0])
    torch.compiler.reset()
    return faults


@pytest.mark.parametrize(("encoder", "critic"), COMPILED, ids=name_of)
def test_compiled_losses_are_one_graph_each(encoder, critic):
    assert compiled_faults_of(*training_of("cpu", {"encoder": encoder, **critic}, "bf16")) == []


USED = {
    "item": lambda x: x + x.sum().item(),
    "nonzero": lambda x: x + x.nonzero().sum(),
    "constant": lambda x: x * torch.ones(1),
}


@pytest.mark.parametrize("fault", USED)
def test_a_fault_put_into_a_compiled_loss_is_found(fault):
    """What comes of it is used: torch leaves out what is not."""
    trainer, training = training_of("cpu")
    loss = trainer.actor_loss
    trainer.actor_loss = lambda obs, *inputs: loss(USED[fault](obs), *inputs)
    assert compiled_faults_of(trainer, training)


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
def test_a_tensor_elsewhere_put_in_on_purpose_is_found(gpu, fault):
    trainer, training = training_of(gpu)
    plant(trainer, ELSEWHERE[fault])
    assert faults_of(training, gpu, num_steps=1)


UP = {torch.as_tensor: "as_tensor", torch.tensor: "tensor"}
DOWN = (torch.Tensor.cpu, torch.Tensor.tolist, torch.Tensor.item, torch.Tensor.__bool__, torch.Tensor.__float__)


class Transfers(TorchFunctionMode):
    """Counts, by the function of rlkit that asks for it, what goes up to the device and comes down from it."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.up, self.down = Counter(), Counter()
        from_numpy = torch.from_numpy
        monkeypatch.setattr(torch, "from_numpy", lambda array: self._note(self.up) or from_numpy(array))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in UP and not isinstance(args[0], torch.Tensor):
            self._note(self.up)
        if func in DOWN:
            self._note(self.down)
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _note(counts):
        frame = sys._getframe(1)
        while f"{os.sep}rlkit{os.sep}" not in frame.f_code.co_filename:
            frame = frame.f_back
        counts[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"] += 1


PATHS, LANES = 3, 4  # of each task; four tasks, a lane each, so all of the paths of one number end together


@pytest.mark.parametrize("steps", [2, 23])
@pytest.mark.parametrize("collects", [True, False])
def test_whole_phases_take_one_way_up_and_one_down_per_policy_call(monkeypatch, collects, steps):
    """And some more each time that paths begin or end, however long they are."""
    agent = make_trainer(OBS_DIM, ACTION_DIM).agent
    env, tasks = FakeEnv(LANES, max_path_length=steps), np.arange(LANES)
    sampler, generator = PathSampler(env, agent.actor), torch.Generator().manual_seed(0)
    replay, recent = (
        MultiTaskReplayBuffer(
            LANES, OBS_DIM, ACTION_DIM, capacity=999, page_size=99, has_sparse_reward=True, device=torch.device("cpu")
        )
        for _ in range(2)
    )
    experience = Experience(replay, recent)
    params = AlgoParams(num_trajs_per_eval=PATHS, num_exp_traj_eval=1, embedding_batch_size=6)
    contexts = ContextSampler(recent, params)
    with Transfers(monkeypatch) as transfers:
        if collects:
            collector = Collector(sampler, agent, generator)
            phases = (
                collector.from_prior(tasks, PATHS * steps),
                collector.from_posterior(tasks, PATHS * steps, contexts, paths_per_update=1, context_grows=True),
            )
            for paths in itertools.chain(*phases):
                experience.add(paths, as_context=True)
        else:
            Evaluator(sampler, agent, generator, params).adapt(tasks)
    rounds = 2 * PATHS if collects else PATHS
    shared = {"path_sampler.begin": rounds, "path_sampler.step_until_some_end": rounds}
    assert transfers.up.pop("acting.act") == rounds * steps  # the observations
    assert transfers.down.pop("acting.act") == rounds * steps  # the actions
    if collects:
        tables = transfers.up.pop("tables.write") + transfers.up.pop("tables._allocate")  # written, or made larger
        assert tables == 2 * 4 * rounds  # two buffers, four tables each
        inferred = {"distributions.rows": PATHS + 1, "context.draw": PATHS - 1}  # asked for more at the end
        assert transfers.up == {**shared, **inferred, "replay_buffer.add_rows": 2 * 2 * rounds}
        assert transfers.down == {}
    else:
        inferred = {"distributions.rows": rounds + 1, "distributions.with_rows": rounds}
        assert transfers.up == {**shared, **inferred, "agent.codes": rounds, "agent.fuse": 2 * rounds}
        assert transfers.down == {"agent.codes": rounds, "evaluation.adapt": 2}
