"""Whole trajectories as context: every drawn sequence is episodes that the ring still holds, step after step."""

import numpy as np
import pytest
import torch
from fakes import ACTION_DIM, OBS_DIM, REWARD_COLUMN, SPARSE_OFFSET, make_paths

from rlkit.config.settings import AlgoParams
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer

EPISODE = 1000  # episode k of a task has the steps from k * EPISODE on


@pytest.fixture
def make_buffer(device):
    def make_buffer(num_tasks=3, capacity=1000, page_size=4):
        sizes = {"capacity": capacity, "page_size": page_size}
        return MultiTaskReplayBuffer(num_tasks, OBS_DIM, ACTION_DIM, **sizes, has_sparse_reward=True, device=device)

    return make_buffer


@pytest.fixture
def rng(device):
    return torch.Generator(device).manual_seed(0)


def add(buffer, task, number, length):
    buffer.add(make_paths([task], length, first_step=number * EPISODE))


def draw(buffer, tasks, num, rng):
    tasks = torch.tensor(tasks, device=buffer.device)
    context = buffer.sample_context(tasks, num, rng, use_next_obs=False, sparse=False, whole_paths=True)
    assert context.device == tasks.device
    return context.cpu()


def episodes_of(sequence):
    """Split the step numbers of a context, (context, context_dim), where they do not go on by one."""
    steps = sequence[:, 1].int().numpy()
    return [piece.tolist() for piece in np.split(steps, np.flatnonzero(np.diff(steps) != 1) + 1)]


def test_sequences_are_whole_episodes_of_their_task_in_order(make_buffer, rng):
    buffer = make_buffer()
    lengths = {0: [5, 3], 1: [7], 2: [4, 4, 2]}
    for task, of_task in lengths.items():
        for number, length in enumerate(of_task):
            add(buffer, task, number, length)
    context = draw(buffer, [2, 0, 1, 2], 50, rng)
    for row, task in enumerate([2, 0, 1, 2]):
        assert (context[row, :, REWARD_COLUMN] == task).all()
        *whole, last = episodes_of(context[row])
        for episode in [*whole, last]:
            number = episode[0] // EPISODE
            full = list(range(number * EPISODE, number * EPISODE + lengths[task][number]))
            assert episode == full[: len(episode)]
            assert episode == full or episode is last
        assert whole
    assert not torch.equal(context[0], context[3])  # the same task twice: drawn independently


def test_episodes_are_drawn_equally_often_whatever_their_length(make_buffer, rng):
    buffer = make_buffer()
    for number, length in enumerate([1, 9, 2, 4]):
        add(buffer, 0, number, length)
    starts = draw(buffer, [0] * 4000, 1, rng)[:, 0, 1] / EPISODE
    counts = torch.bincount(starts.int(), minlength=4)
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()


def test_an_episode_across_the_rings_end_is_in_order_and_an_overwritten_one_is_gone(make_buffer, rng):
    buffer = make_buffer(capacity=10)
    for number in range(3):
        add(buffer, 1, number, 4)  # the third overwrites the first half of the first
    found = {tuple(episode) for episode in episodes_of(draw(buffer, [1], 400, rng)[0])[:-1]}
    assert found == {tuple(range(number * EPISODE, number * EPISODE + 4)) for number in (1, 2)}


def test_of_an_episode_longer_than_the_ring_the_rest_is_drawn(make_buffer, rng):
    buffer = make_buffer(capacity=10)
    add(buffer, 0, 0, 25)
    assert episodes_of(draw(buffer, [0], 30, rng)[0]) == [list(range(15, 25))] * 3


def test_a_cleared_task_starts_afresh(make_buffer, rng):
    buffer = make_buffer()
    add(buffer, 0, 0, 5)
    add(buffer, 1, 7, 3)
    buffer.clear(np.array([0]))
    add(buffer, 0, 1, 2)
    assert {tuple(episode) for episode in episodes_of(draw(buffer, [0], 20, rng)[0])} == {(1000, 1001)}
    assert {tuple(episode) for episode in episodes_of(draw(buffer, [1], 21, rng)[0])} == {(7000, 7001, 7002)}


def test_no_history_of_writing_and_clearing_mixes_episodes_up(make_buffer, rng):
    history = np.random.default_rng(0)
    buffer, kept = make_buffer(num_tasks=2, capacity=23, page_size=5), {0: [], 1: []}
    for number in range(300):
        task, length = int(history.integers(2)), int(history.integers(1, 12))
        if history.random() < 0.05:
            buffer.clear(np.array([task]))
            kept[task] = []
        add(buffer, task, number, length)
        kept[task].append(range(number * EPISODE, number * EPISODE + length))
        while sum(map(len, kept[task])) > 23:
            kept[task].pop(0)
        *whole, last = episodes_of(draw(buffer, [task], 60, rng)[0])
        assert all(range(episode[0], episode[-1] + 1) in kept[task] for episode in whole)
        assert last[0] in {episode[0] for episode in kept[task]}


def test_the_config_chooses_trajectories_and_sparse_rewards(make_buffer, rng):
    buffer = make_buffer()
    add(buffer, 1, 0, 6)
    params = AlgoParams(sparse_rewards=True, context_sampling="trajectories", embedding_batch_size=12)
    context = ContextSampler(buffer, params).draw(np.array([1]), rng)
    assert context[0, :, 1].tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert (context[0, :, REWARD_COLUMN] == 1 + SPARSE_OFFSET).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_batch_and_its_context_are_the_same_transitions(make_buffer, rng, sparse):
    buffer = make_buffer()
    buffer.add(make_paths([0, 2], 40))
    params = AlgoParams(
        context_source="rl_batch",
        sparse_rewards=sparse,
        batch_size=16,
        embedding_batch_size=6,
        use_next_obs_in_context=True,
    )
    batch, context = ContextSampler(buffer, params).draw_with_batch(torch.tensor([2, 0], device=buffer.device), rng)
    assert batch.obs.shape[:2] == (2, 16)
    assert context.shape == (2, 6, 2 * OBS_DIM + ACTION_DIM + 1)
    torch.testing.assert_close(context[..., :OBS_DIM], batch.obs[:, :6])
    torch.testing.assert_close(context[..., -OBS_DIM:], batch.next_obs[:, :6])
    for row, task in enumerate([2, 0]):
        assert (batch.reward[row] == task).all()  # the critics learn from the dense reward
        assert (context[row, :, REWARD_COLUMN] == task + SPARSE_OFFSET * sparse).all()
