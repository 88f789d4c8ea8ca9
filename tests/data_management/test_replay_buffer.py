import numpy as np
import pytest
import torch
from fakes import ACTION_DIM, OBS_DIM, REWARD_COLUMN, SPARSE_OFFSET, make_paths

from rlkit.config.settings import AlgoParams
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer


@pytest.fixture
def make_buffer(device):
    def make_buffer(num_tasks=3, capacity=1000, page_size=4):
        sizes = {"capacity": capacity, "page_size": page_size}
        return MultiTaskReplayBuffer(num_tasks, OBS_DIM, ACTION_DIM, **sizes, has_sparse_reward=True, device=device)

    return make_buffer


@pytest.fixture
def rng(device):
    return torch.Generator(device).manual_seed(0)


def sample(buffer, tasks, num, rng):
    """A batch of `tasks`, on the CPU."""
    batch = buffer.sample(torch.tensor(tasks, device=buffer.device), num, rng)
    assert {values.device.type for values in batch} == {buffer.device.type}
    return batch._make(values.cpu() for values in batch)


def steps_of(buffer, task, rng, num=2000):
    """The set of step numbers that sampling `task` brings up."""
    return set(sample(buffer, [task], num, rng).obs[0, :, 1].int().tolist())


def test_a_batch_holds_each_tasks_own_transitions(make_buffer, rng):
    buffer = make_buffer()
    buffer.add(make_paths([0, 2, 1, 2], [5, 3, 7, 4]))
    batch = sample(buffer, [2, 0, 2, 1], 64, rng)
    for row, task in enumerate([2, 0, 2, 1]):
        assert (batch.reward[row] == task).all()
        assert (batch.obs[row, :, 0] == task).all()
        assert (batch.next_obs[row, :, 0] == task).all()
    assert torch.equal(batch.next_obs[..., 1], batch.obs[..., 1] + 1)
    assert batch.reward.shape == batch.terminal.shape == (4, 64, 1)
    assert not torch.equal(batch.obs[0], batch.obs[2])  # the same task twice: drawn independently


def test_padding_behind_an_episodes_end_is_not_stored(make_buffer, rng):
    buffer = make_buffer()
    buffer.add(make_paths([0, 1], [2, 6]))
    assert buffer.size(0) == 2
    assert steps_of(buffer, 0, rng) == {0, 1}
    assert steps_of(buffer, 1, rng) == set(range(6))


def test_every_transition_is_drawn_equally_often(make_buffer, rng):
    buffer = make_buffer(page_size=3)
    buffer.add(make_paths([1], [10]))
    steps = sample(buffer, [1], 20_000, rng).obs[0, :, 1]
    counts = torch.bincount(steps.int(), minlength=10)
    assert ((counts - 2000).abs() < 5 * 2000**0.5).all()


def test_the_ring_overwrites_the_oldest(make_buffer, rng):
    buffer = make_buffer(capacity=10)
    for first in (0, 4, 8):
        buffer.add(make_paths([0, 1], 4, first_step=first))
    assert buffer.size(0) == buffer.size(1) == 10
    assert steps_of(buffer, 0, rng) == set(range(2, 12))
    assert steps_of(buffer, 1, rng) == set(range(2, 12))


def test_more_than_the_capacity_at_once_keeps_the_last(make_buffer, rng):
    buffer = make_buffer(capacity=10)
    buffer.add(make_paths([0], 25))
    assert steps_of(buffer, 0, rng) == set(range(15, 25))


def test_clearing_touches_its_tasks_only_and_frees_their_memory(make_buffer, rng):
    buffer = make_buffer()
    buffer.add(make_paths([0, 1, 2], 8))
    bytes_before = buffer.num_bytes()
    for _ in range(20):
        buffer.clear(np.array([0, 2]))
        assert (buffer.size(0), buffer.size(1), buffer.size(2)) == (0, 8, 0)
        buffer.add(make_paths([2, 0], 8, first_step=50))
    assert buffer.num_bytes() == bytes_before
    assert steps_of(buffer, 1, rng) == set(range(8))
    assert steps_of(buffer, 2, rng) == set(range(50, 58))


def test_memory_follows_the_data(make_buffer):
    buffer = make_buffer(num_tasks=50, capacity=10**6, page_size=20)
    for _ in range(30):
        buffer.add(make_paths(list(range(50)), 20))
    stored = 50 * 30 * 20
    row_bytes = 4 * (2 * OBS_DIM + ACTION_DIM + 3)
    assert buffer.num_bytes() <= 1.2 * stored * row_bytes


@pytest.mark.parametrize("use_next_obs", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_context_has_the_configured_columns(make_buffer, rng, use_next_obs, sparse):
    buffer = make_buffer()
    buffer.add(make_paths([0, 1, 2], 8))
    params = AlgoParams(
        sparse_rewards=sparse,
        use_next_obs_in_context=use_next_obs,
        embedding_batch_size=16,
        embedding_mini_batch_size=16,
    )
    context = ContextSampler(buffer, params).draw(np.array([2, 1]), rng)
    assert context.shape == (2, 16, OBS_DIM + ACTION_DIM + 1 + OBS_DIM * use_next_obs)
    for row, task in enumerate([2, 1]):
        assert (context[row, :, REWARD_COLUMN] == task + SPARSE_OFFSET * sparse).all()
        if use_next_obs:
            assert torch.equal(context[row, :, -2], context[row, :, 1] + 1)


def test_sparse_context_leaves_the_stored_dense_reward_alone(make_buffer, rng):
    buffer = make_buffer()
    buffer.add(make_paths([1], 8))
    tasks = torch.tensor([1], device=buffer.device)
    buffer.sample_context(tasks, 32, rng, use_next_obs=False, sparse=True)
    assert (sample(buffer, [1], 32, rng).reward == 1).all()


def test_the_version_counts_every_reallocation_and_nothing_else(make_buffer):
    """Rows, page table, sizes and the tables of episodes: what was captured on any of them is stale when it moves."""
    history = np.random.default_rng(0)
    buffer = make_buffer(num_tasks=2, capacity=60, page_size=3)
    buffer.add(make_paths([0, 1], 2))
    moved_ever, stayed = np.zeros(5, dtype=bool), 0
    for _ in range(60):
        before, tensors = buffer.version, buffer._tensors()
        places = [tensor.data_ptr() for tensor in tensors]
        if history.random() < 0.2:
            buffer.clear(np.array([history.integers(2)]))
        else:
            buffer.add(make_paths([history.integers(2)], int(history.integers(1, 9))))
        moved = np.array([new is not old for new, old in zip(buffer._tensors(), tensors, strict=True)])
        stays = [new.data_ptr() == place for new, place in zip(buffer._tensors(), places, strict=True)]
        assert (np.array(stays) | moved).all()
        assert (buffer.version > before) == moved.any()
        moved_ever |= moved
        stayed += not moved.any()
    assert moved_ever.tolist() == [
        True,
        True,
        False,
        True,
        False,
    ]  # one size and one count per task, once and for all
    assert stayed > 10


def test_sampling_leaves_the_version_alone(make_buffer, rng):
    buffer = make_buffer()
    buffer.add(make_paths([0, 1, 2], 5))
    before = buffer.version
    sample(buffer, [0, 1], 8, rng)
    ContextSampler(buffer, AlgoParams(context_sampling="trajectories")).draw(np.array([0]), rng)
    assert buffer.version == before
