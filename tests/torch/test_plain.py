"""The fast update gives the numbers of the plain one, whatever is configured."""

import numpy as np
import pytest
import torch
from fakes import ACTION_DIM, OBS_DIM, make_paths, make_trainer

from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.torch.sac.plain import PlainUpdate
from rlkit.torch.sac.training_phase import TrainingPhase

STEPS = 10
OWN_RATES = {"policy_lr": 1e-3, "qf_lr": 3e-3, "vf_lr": 2e-3, "context_lr": 5e-4}
VARIANTS = {
    "default": {},
    "own rates": OWN_RATES,
    "twin_q": {"critic": "twin_q", **OWN_RATES},
    "auto_alpha": {"critic": "twin_q", "auto_alpha": True, **OWN_RATES},
    "target_entropy": {"critic": "twin_q", "auto_alpha": True, "target_entropy": 0.5},
    "recurrent": {"encoder": "recurrent", "context_sampling": "trajectories", "embedding_mini_batch_size": 4},
    "attention": {"encoder": "attention"},
    "recurrent twin_q": {"encoder": "recurrent", "critic": "twin_q", "auto_alpha": True},
    "kl mean": {"kl_reduction": "mean", "kl_lambda": 0.7},
    "deterministic": {"use_information_bottleneck": False},
    "deterministic attention": {"encoder": "attention", "use_information_bottleneck": False},
    "deterministic recurrent": {"encoder": "recurrent", "use_information_bottleneck": False},
    "next_obs": {"use_next_obs_in_context": True},
    "sparse": {"sparse_rewards": True},
    "reward model": {"encoder_loss": "rewards", **OWN_RATES},
    "reward model, next_obs": {"encoder_loss": "rewards", "use_next_obs_in_context": True, "critic": "twin_q"},
    "reward model, recurrent": {"encoder_loss": "rewards", "encoder": "recurrent", "embedding_mini_batch_size": 4},
    "rl_batch": {"context_source": "rl_batch"},
    "regularisation": {"policy_mean_reg_weight": 0.3, "policy_std_reg_weight": 0.05},
    "target and discount": {"soft_target_tau": 0.1, "discount": 0.9, "reward_scale": 2.0},
}


@pytest.fixture
def double():
    """In float64: Adam makes a step of full size of a gradient that is nothing but rounding."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("variant", VARIANTS)
def test_ten_steps_are_those_of_the_plain_update(variant):
    sizes = {"meta_batch": 3, "batch_size": 16, "embedding_batch_size": 8, "embedding_mini_batch_size": 8}
    trainer = make_trainer(OBS_DIM, ACTION_DIM, **sizes | VARIANTS[variant])
    buffer = MultiTaskReplayBuffer(
        4, OBS_DIM, ACTION_DIM, capacity=100, page_size=10, has_sparse_reward=True, device=torch.device("cpu")
    )
    buffer.add(random_paths())
    contexts, generator = ContextSampler(buffer, trainer.params), torch.Generator().manual_seed(0)
    phase = TrainingPhase(trainer, buffer, contexts, np.arange(4), trainer.params, generator)
    plain = PlainUpdate(trainer)
    before = {name: [weight.clone() for weight in net.parameters()] for name, net in plain.networks.items()}
    for _ in range(STEPS):
        for inputs in phase.draw():
            trainer.update(*inputs)
            plain.update(*inputs)
    for name, network in trainer.networks().items():
        weights, plain_weights = (list(net.parameters()) for net in (network, plain.networks[name]))
        for weight, other in zip(weights, plain_weights, strict=True):
            torch.testing.assert_close(
                weight, other, rtol=0, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
            )
        assert any(not torch.equal(new, old) for new, old in zip(plain_weights, before[name], strict=True)), name


def random_paths():
    """Episodes that end by themselves, of random numbers."""
    rng = np.random.default_rng(0)
    paths = make_paths([0, 1, 2, 3], 20)

    def random(like):
        return rng.standard_normal(like.shape)

    terminal = np.zeros_like(paths.terminal)
    terminal[:, 10::3] = 1.0
    names = ("obs", "action", "reward", "next_obs", "sparse_reward")
    fields = {name: random(getattr(paths, name)) for name in names}
    return paths._replace(**fields, terminal=terminal)
