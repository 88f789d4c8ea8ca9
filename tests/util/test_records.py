import numpy as np
from fakes import make_paths

from rlkit.util.records import join_paths


def test_paths_of_different_lengths_are_joined():
    pieces = [make_paths([3, 1], 2), make_paths([4], 5), make_paths([7], 1)]
    pieces = [paths._replace(terms={"velocity": paths.reward}) for paths in pieces]
    joined = join_paths(pieces)
    assert joined.task.tolist() == [3, 1, 4, 7]
    assert joined.length.tolist() == [2, 2, 5, 1]
    assert joined.obs.shape == (4, 5, 3)
    assert joined.returns(sparse=False).tolist() == [6, 2, 20, 7]
    assert joined.returns(sparse=True).tolist() == [206, 202, 520, 107]
    assert (joined.terms["velocity"][joined.valid()] == joined.reward[joined.valid()]).all()
    assert joined.obs[joined.valid()].shape == (10, 3)


def test_rows_are_episodes():
    paths = make_paths([3, 1, 4], [2, 5, 1])._replace(sparse_reward=None)
    chosen = paths.rows(np.array([2, 0]))
    assert chosen.task.tolist() == [4, 3]
    assert chosen.length.tolist() == [1, 2]
    assert chosen.sparse_reward is None
    assert chosen.returns(sparse=False).tolist() == [4, 6]
    assert join_paths([chosen, chosen]).sparse_reward is None
