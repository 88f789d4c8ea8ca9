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


def test_a_term_that_a_piece_does_not_know_is_0_in_it():
    late = make_paths([1], 2)._replace(terms={"success": np.ones((1, 2), dtype=np.float32)})
    for pieces, expected in (([make_paths([0], 3), late], [0, 1]), ([late, make_paths([0], 3)], [1, 0])):
        joined = join_paths(pieces)
        assert joined.terms["success"][:, 0].tolist() == expected
        assert joined.terms["success"][:, 2].tolist() == [0, 0]
