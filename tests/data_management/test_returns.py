"""N-step returns: sums within a path, against the definition step by step."""

import numpy as np
import torch
from fakes import ACTION_DIM, OBS_DIM, make_paths

from rlkit.data_management.experience import Experience
from rlkit.data_management.journal import Mark
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.data_management.returns import NStepReturns

DISCOUNT = 0.9
LENGTHS = [5, 1, 7]


def make_buffer():
    sizes = {"capacity": 100, "page_size": 4, "has_sparse_reward": True}
    return MultiTaskReplayBuffer(3, OBS_DIM, ACTION_DIM, device=torch.device("cpu"), **sizes)


def paths_with_ends(terminal):
    """Paths with a different reward at each step; the first and the last end by the environment where told."""
    paths = make_paths([0, 1, 2], LENGTHS)
    rng = np.random.default_rng(0)
    ends = np.zeros_like(paths.terminal)
    for path in (0, 2) if terminal else ():
        ends[path, LENGTHS[path] - 1] = 1.0
    reward = np.where(paths.valid(), rng.normal(size=paths.reward.shape), 0.0).astype(np.float32)
    return paths._replace(reward=reward, terminal=ends)


def test_targets_are_those_of_the_definition():
    buffer = make_buffer()
    for terminal in (False, True):
        paths = paths_with_ends(terminal)
        rows, columns = buffer.pack(paths), buffer.columns
        for num_steps in (1, 2, 3, 10):
            ahead = NStepReturns(num_steps, DISCOUNT, columns).of(rows, paths.length)
            start = 0
            for path, length in enumerate(LENGTHS):
                for step in range(length):
                    row, k = ahead[start + step], min(num_steps, length - step)
                    later = paths.reward[path, step : step + k]
                    expected = sum(DISCOUNT**i * float(reward) for i, reward in enumerate(later))
                    np.testing.assert_allclose(row[columns["reward"]], expected, rtol=1e-6, atol=1e-6)
                    np.testing.assert_array_equal(row[columns["next_obs"]], paths.next_obs[path, step + k - 1])
                    np.testing.assert_array_equal(row[columns["obs"]], paths.obs[path, step])
                    np.testing.assert_array_equal(row[columns["action"]], paths.action[path, step])
                    weight = (1.0 - paths.terminal[path, step + k - 1]) * DISCOUNT**k  # of the value at the end
                    np.testing.assert_allclose((1.0 - row[columns["terminal"]]) * DISCOUNT, weight, rtol=1e-6)
                start += length
        one = NStepReturns(1, DISCOUNT, columns).of(rows, paths.length)
        np.testing.assert_array_equal(one, rows)


def test_actor_and_critics_look_ahead_and_the_encoder_does_not(tmp_path):
    replay, recent = make_buffer(), make_buffer()
    experience = Experience(replay, recent, NStepReturns(3, DISCOUNT, replay.columns))
    experience.begin_journal(tmp_path / "journal")
    paths = paths_with_ends(terminal=True)
    experience.add(paths, as_context=True)
    rows = replay.pack(paths)
    at = torch.arange(LENGTHS[2])[None]
    task = torch.tensor([2])
    np.testing.assert_array_equal(recent._rows_at(task, at)[0], rows[-LENGTHS[2] :])
    stored = replay._rows_at(task, at)[0]
    assert not np.array_equal(stored, rows[-LENGTHS[2] :])

    resumed = Experience(make_buffer(), make_buffer(), NStepReturns(3, DISCOUNT, replay.columns))
    mark = experience.mark()
    assert mark != Mark()
    resumed.resume_journal(tmp_path / "journal", mark)
    assert torch.equal(resumed.replay._rows_at(task, at)[0], stored)
