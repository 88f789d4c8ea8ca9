"""The training phase: what it draws, adds up, and that capture and precision leave the numbers alone."""

import numpy as np
import pytest
import torch
from fakes import ACTION_DIM, OBS_DIM, make_paths, make_trainer

from rlkit.config.settings import AlgoParams
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.util.errors import RunError

CPU = torch.device("cpu")
PARAMS = AlgoParams(meta_batch=4, batch_size=16, embedding_batch_size=8, embedding_mini_batch_size=8)


def make_step(device=CPU, params=PARAMS, **settings):
    trainer = make_trainer(
        OBS_DIM, ACTION_DIM, net_size=32, encoder_size=32, seed=0, device=device, **params.model_dump()
    )
    buffers = [
        MultiTaskReplayBuffer(
            6, OBS_DIM, ACTION_DIM, capacity=500, page_size=10, has_sparse_reward=True, device=device
        )
        for _ in range(2)
    ]
    for buffer in buffers:
        buffer.add(make_paths(np.arange(6), 30))
    generator = torch.Generator(device).manual_seed(0)
    context = ContextSampler(buffers[1], params)
    step = TrainingPhase(trainer, buffers[0], context, np.array([1, 3, 4]), params, generator, **settings)
    return step, buffers


def weights(step):
    networks = step.trainer.networks()
    return {f"{net}.{k}": v.cpu() for net, module in networks.items() for k, v in module.state_dict().items()}


def test_batches_are_of_training_tasks_and_context_of_the_same_ones(device):
    step, _ = make_step(device)
    seen = set()
    for _ in range(20):
        for batch, context, noise in step.draw():
            tasks = batch.reward[:, 0, 0]
            assert (batch.reward == tasks[:, None, None]).all()
            assert (context[:, :, 0] == tasks[:, None]).all()
            assert noise.z.shape == (4, 5)
            seen |= set(tasks.tolist())
    assert seen == {1, 3, 4}


def test_the_phase_is_its_steps_one_by_one(device):
    """On a GPU the phase replays a captured graph, and the buffers move in between: the numbers stay."""
    phase, phase_buffers = make_step(device)
    single, single_buffers = make_step(device)
    for _ in range(2):
        phase.start(3)
        single.start(3)
        phase.run(8, lambda: None)
        statistics = phase.statistics()
        losses = [metrics.means["QF Loss"].item() for _ in range(8) for metrics in single.step()]
        assert statistics.shared["QF Loss"] == pytest.approx(np.mean(losses), rel=1e-4)
        for buffer in (*phase_buffers, *single_buffers):
            buffer.add(make_paths(np.arange(6), 60))
    for name, value in weights(phase).items():
        torch.testing.assert_close(value, weights(single)[name], rtol=1e-4, atol=1e-6)


def test_progress_is_told_of_each_step():
    step, _ = make_step()
    told = []
    step.run(5, lambda: told.append(len(told)))
    assert told == [0, 1, 2, 3, 4]


def test_a_phase_goes_on_in_its_middle(device):
    whole, _ = make_step(device)
    first, _ = make_step(device)
    second, _ = make_step(device)
    for step in (whole, first):
        step.start(3)
    whole.run(7, lambda: None)
    first.run(3, lambda: None)
    second.restore_arrays(first.arrays())
    second.run(4, lambda: None)
    assert second.statistics() == whole.statistics()
    for name, value in weights(whole).items():
        assert torch.equal(weights(second)[name], value), name


def test_a_phase_that_began_on_a_gpu_goes_on_with_a_stream_of_its_own():
    """A GPU's generator has a state of 16 bytes that the CPU's cannot take, and the other way round."""
    first, _ = make_step()
    first.start(3)
    first.run(2, lambda: None)
    arrays = {**first.arrays(), "generator": np.arange(16, dtype=np.uint8)}
    resumed = [make_step()[0] for _ in range(2)]
    for step in resumed:
        step.restore_arrays(arrays)
        step.run(2, lambda: None)
    assert resumed[0].statistics() == resumed[1].statistics()


def test_a_state_of_other_networks_is_refused():
    step, _ = make_step()
    arrays = step.arrays()
    arrays["weights.policy.fc0.bias"] = np.zeros(3, dtype=np.float32)
    with pytest.raises(RunError, match="policy"):
        make_step()[0].restore_arrays(arrays)


def test_context_in_pieces_gives_an_update_each():
    params = PARAMS.model_copy(update={"embedding_batch_size": 24})
    step, _ = make_step(params=params)
    pieces = [context for _, context, _ in step.draw()]
    assert [piece.shape[1] for piece in pieces] == [8, 8, 8]


def test_statistics_come_in_the_order_of_progress_csv():
    step, _ = make_step()
    step.run(2, lambda: None)
    names = list(step.statistics().shared)
    assert names[:7] == [
        "Z mean train",
        "Z variance train",
        "KL Divergence",
        "KL Loss",
        "QF Loss",
        "VF Loss",
        "Policy Loss",
    ]
    assert names[7:9] == ["Q Predictions Mean", "Q Predictions Std"]
    assert names[-1] == "Policy log std Min"


def test_bfloat16_stays_near_float32_and_heads_stay_float32(device):
    exact, _ = make_step(device)
    rough, _ = make_step(device, precision="bf16")
    (exact_metrics,), (rough_metrics,) = exact.step(), rough.step()
    rough_metrics = rough_metrics.means | rough_metrics.predictions
    for name, value in (exact_metrics.means | exact_metrics.predictions).items():
        assert rough_metrics[name].dtype == torch.float32, name
        torch.testing.assert_close(rough_metrics[name], value, rtol=0.05, atol=0.05)
    assert any(not torch.equal(a, b) for a, b in zip(weights(exact).values(), weights(rough).values(), strict=True))


@pytest.mark.slow
def test_compiled_losses_give_the_same_weights(device):
    plain, _ = make_step(device)
    compiled, _ = make_step(device)
    compiled.trainer.compile()
    for step in (plain, compiled):
        step.start(1)
        step.run(3, lambda: None)
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(compiled)[name], value, rtol=1e-4, atol=1e-5)
