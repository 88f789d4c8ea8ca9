import numpy as np
import pytest
import torch
from fakes import REWARD_COLUMN, SPARSE_OFFSET, FakeAgent, FakeContexts, FakeEnv

from rlkit.config.settings import AlgoParams
from rlkit.core.evaluation import Evaluator
from rlkit.samplers.path_sampler import PathSampler

PRIOR_Z = -1.0


def make_evaluator(lengths=None, num_envs=16, **settings):
    settings = {"num_steps_per_eval": 15, "max_path_length": 5, "num_exp_traj_eval": 1} | settings
    env, agent = FakeEnv(num_envs, max_path_length=5, lengths=lengths), FakeAgent()
    return Evaluator(
        PathSampler(env, agent.actor, record_terms=True), agent, torch.Generator(), AlgoParams(**settings)
    ), agent


def z_by_trajectory(adaptation):
    return [paths.action[:, 0, 0].tolist() for _, _, paths in adaptation.rounds]


def test_prior_first_then_the_posterior_of_the_lanes_own_transitions():
    evaluator, _ = make_evaluator()
    adaptation = evaluator.adapt(np.array([4, 2, 9]))
    assert z_by_trajectory(adaptation) == [[PRIOR_Z] * 3, [4, 2, 9], [4, 2, 9]]


def test_the_posterior_waits_for_the_exploration_trajectories():
    evaluator, agent = make_evaluator(num_exp_traj_eval=2)
    adaptation = evaluator.adapt(np.array([4, 2]))
    assert z_by_trajectory(adaptation) == [[PRIOR_Z] * 2, [PRIOR_Z] * 2, [4, 2]]
    assert agent.contexts[0][1].tolist() == [10, 10]  # both exploration trajectories are in the first context


def test_the_context_is_all_transitions_so_far():
    evaluator, agent = make_evaluator()
    evaluator.adapt(np.array([3]))
    lengths = [length.tolist() for _, length in agent.contexts]
    assert lengths == [[5], [10], [15]]
    last = agent.contexts[-1][0][0]
    assert last[:, 1].tolist() == [0, 1, 2, 3, 4] * 3  # the steps of three episodes, in order
    assert last[:, 2].tolist() == [1] * 5 + [2] * 5 + [3] * 5


def test_the_result_is_the_last_trajectorys_return():
    evaluator, _ = make_evaluator(lengths={2: 3, 3: 4})
    adaptation = evaluator.adapt(np.array([2, 3]))
    assert np.isfinite(adaptation.returns).sum(axis=1).tolist() == [5, 4]  # until 15 steps are reached or passed
    assert adaptation.final_return.tolist() == [6, 12]
    assert adaptation.return_of_path(0) == (6 + 12) / 2
    assert adaptation.return_of_path(4) is None  # only one of the runs had a fifth
    assert adaptation.return_of_path(9) is None


def test_runs_of_different_lengths_keep_their_own_context():
    evaluator, agent = make_evaluator(lengths={2: 3, 3: 4})
    evaluator.adapt(np.array([2, 3, 7]))
    seen = {2: [], 3: [], 7: []}
    for context, lengths in agent.contexts:
        for rows, length in zip(context, lengths, strict=True):
            task = int(rows[0, REWARD_COLUMN])
            assert (rows[:length, REWARD_COLUMN] == task).all()
            seen[task].append(int(length))
    assert seen == {2: [3, 6, 9, 12, 15], 3: [4, 8, 12, 16], 7: [5, 10, 15]}


def test_runs_go_on_whatever_the_others_are_at():
    """Two of three runs have episodes of one step: they are through before the third ends its first one."""
    evaluator, agent = make_evaluator(lengths={2: 1, 3: 1}, num_steps_per_eval=4)
    adaptation = evaluator.adapt(np.array([2, 3, 7]))
    assert [length.tolist() for _, length in agent.contexts] == [[1, 1], [2, 2], [3, 3], [4, 4], [5]]
    assert [(number, lanes.tolist()) for number, lanes, _ in adaptation.rounds] == [
        (0, [0, 1, 2]),
        (1, [0, 1]),
        (2, [0, 1]),
        (3, [0, 1]),
    ]
    assert adaptation.rounds[0].paths.length.tolist() == [1, 1, 5]


def test_sparse_rewards_count_in_context_and_returns():
    evaluator, agent = make_evaluator(sparse_rewards=True)
    adaptation = evaluator.adapt(np.array([3]))
    assert (agent.contexts[0][0][0, :, REWARD_COLUMN] == 3 + SPARSE_OFFSET).all()
    assert adaptation.final_return.tolist() == [5 * (3 + SPARSE_OFFSET)]


def test_more_runs_than_lanes_give_the_same():
    tasks = np.array([4, 2, 9, 3, 1])
    wide = make_evaluator(lengths={9: 2})[0].adapt(tasks)
    narrow = make_evaluator(lengths={9: 2}, num_envs=2)[0].adapt(tasks)
    assert narrow.tasks.tolist() == tasks.tolist()
    np.testing.assert_array_equal(narrow.returns, wide.returns)
    assert narrow.final_return.tolist() == wide.final_return.tolist()
    assert sorted(lane for _, lanes, _ in narrow.rounds for lane in lanes) == sorted(
        lane for _, lanes, _ in wide.rounds for lane in lanes
    )


def test_posterior_returns_give_each_trajectory_its_own_context():
    evaluator, _agent = make_evaluator()
    drawn = []

    def draw_context(tasks, generator):
        drawn.extend(tasks.tolist())
        context = torch.zeros(len(tasks), 2, REWARD_COLUMN + 1)
        context[..., REWARD_COLUMN] = torch.as_tensor(tasks)[:, None]
        return context

    returns = evaluator.posterior_returns(np.array([6, 2]), FakeContexts(draw_context))
    assert drawn == [6, 6, 6, 2, 2, 2]
    assert returns.tolist() == [30, 10]


def test_trajectories_are_counted_where_configured():
    """Also where episodes end early: the context before the last one is that of the trajectories asked for."""
    evaluator, agent = make_evaluator(lengths={2: 1, 3: 4}, num_trajs_per_eval=3, num_exp_traj_eval=2)
    adaptation = evaluator.adapt(np.array([2, 3, 7]))
    assert np.isfinite(adaptation.returns).all()
    assert adaptation.returns.shape == (3, 3)
    lengths = {int(rows[0, REWARD_COLUMN]): [] for context, _ in agent.contexts for rows in context}
    for context, its_lengths in agent.contexts:
        for rows, length in zip(context, its_lengths, strict=True):
            lengths[int(rows[0, REWARD_COLUMN])].append(int(length))
    assert lengths == {2: [2, 3], 3: [8, 12], 7: [10, 15]}
    assert adaptation.final_return.tolist() == [2, 12, 35]


def test_each_trajectory_is_announced_with_the_belief_behind_it():
    seen = []
    env, agent = FakeEnv(8, max_path_length=5, lengths={3: 4}), FakeAgent()
    params = AlgoParams(num_steps_per_eval=9, max_path_length=5)

    def watch(run, number, belief):
        seen.append((run, number, belief.mean[:, 0].tolist()))

    Evaluator(PathSampler(env, agent.actor), agent, torch.Generator(), params, watch=watch).adapt(np.array([3, 6]))
    assert sorted(seen) == [(0, 0, [PRIOR_Z]), (0, 1, [3.0]), (0, 2, [3.0]), (1, 0, [PRIOR_Z]), (1, 1, [6.0])]


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_policy_is_deterministic_unless_told_otherwise(deterministic):
    given = []

    class Sampler(PathSampler):
        def run(self, start, generator):
            given.append(generator)
            return super().run(start, generator)

    agent, generator = FakeAgent(), torch.Generator()
    sampler = Sampler(FakeEnv(4, max_path_length=5), agent.actor)
    params = AlgoParams(num_steps_per_eval=10, max_path_length=5)
    Evaluator(sampler, agent, generator, params, deterministic=deterministic).adapt(np.array([1]))
    assert given == [None if deterministic else generator]


def test_named_terms_are_those_of_the_last_trajectories():
    """Every lane counts once, however many trajectories it ran."""
    evaluator, _ = make_evaluator(lengths={3: 1}, num_envs=3)
    terms = evaluator.adapt(np.array([0, 1, 3, 1])).terms_of_last_paths()
    assert terms["reward_task"] == (0 + 2 + 6 + 2) / 4
    assert terms["success"] == (0 + 1 + 0 + 1) / 4  # the second step's, which task 3 never reaches


def test_a_term_that_a_step_does_not_name_is_zero():
    """An environment may say "success" only when it happens: what was said long ago counts no more."""

    class Terse(FakeEnv):
        def step(self, actions):
            *outcome, info = super().step(actions)
            if self.episodes[0] > 1 or self.steps[0] != 2:
                del info["success"]
            return *outcome, info

    agent, params = FakeAgent(), AlgoParams(num_steps_per_eval=30, max_path_length=5)
    sampler = PathSampler(Terse(1, max_path_length=5), agent.actor, record_terms=True)
    adaptation = Evaluator(sampler, agent, torch.Generator(), params).adapt(np.array([1]))
    assert [round_.paths.terms["success"].max() for round_ in adaptation.rounds] == [1, 0, 0, 0, 0, 0]
    assert adaptation.terms_of_last_paths()["success"] == 0
