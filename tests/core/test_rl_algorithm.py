import itertools

import numpy as np
import pytest

from rlkit.config.settings import AlgoParams
from rlkit.core.evaluation import Adaptation
from rlkit.core.rl_algorithm import MetaRLAlgorithm, TaskSplit, distinct_waves
from rlkit.data_management.journal import Mark
from rlkit.torch.sac.training_phase import Statistics
from rlkit.util.signals import StopSignal


@pytest.mark.parametrize(
    ("tasks", "waves"),
    [
        ([3, 1, 2], [[3, 1, 2]]),
        ([3, 1, 3, 2, 3], [[3, 1, 2], [3], [3]]),
        ([0, 0, 1, 1, 0], [[0, 1], [0, 1], [0]]),
    ],
)
def test_a_repeated_task_waits_for_its_next_turn(tasks, waves):
    assert [wave.tolist() for wave in distinct_waves(np.array(tasks))] == waves


class Recorder:
    """Every part of the algorithm at once: writes down what is asked of it."""

    num_diverged = 3

    def __init__(self):
        self.calls = []
        self.test_returns = itertools.count(1.0)

    def seed(self, *seeds):
        self.calls.append(("seed", *seeds))

    def from_prior(self, tasks, num_steps):
        self.calls.append(("prior", tasks.tolist(), num_steps))
        return []

    def from_posterior(self, tasks, num_steps, contexts, *, paths_per_update, context_grows):
        self.calls.append(("posterior", tasks.tolist(), num_steps, paths_per_update, context_grows))
        return []

    def clear_context(self, tasks):
        self.calls.append(("clear", tasks.tolist()))

    def add(self, paths, *, as_context):
        raise AssertionError("nothing was collected")

    def mark(self):
        return Mark()

    def start(self, seed):
        self.seed(seed)

    def run(self, num_steps, after_step):
        self.calls.append(("train", num_steps))
        for _ in range(num_steps):
            after_step()

    def statistics(self):
        return Statistics({"QF Loss": 0.5}, {"Own": 0.25})

    def adapt(self, tasks):
        self.calls.append(("adapt", tasks.tolist()))
        returns = np.full((len(tasks), 3), next(self.test_returns))
        return Adaptation(tasks, returns, np.ones((len(tasks), 2)), np.ones((len(tasks), 2)), [])

    def posterior_returns(self, tasks, contexts):
        self.calls.append(("posterior returns", tasks.tolist()))
        return np.full(len(tasks), 7.0)

    def phase(self, name, total):
        pass

    def advance(self, num_steps):
        pass


def make_algorithm(recorder, **settings):
    defaults = {"num_iterations": 2, "num_tasks_sample": 3, "num_steps_per_eval": 600, "num_evals": 2}
    params = AlgoParams(**(defaults | settings))
    return MetaRLAlgorithm(
        params,
        0,
        TaskSplit(np.arange(4), np.array([4, 5])),
        collector=recorder,
        experience=recorder,
        contexts=None,
        training=recorder,
        evaluator=recorder,
        display=recorder,
        stop=StopSignal(),
    )


def test_phases_come_in_order():
    recorder = Recorder()
    list(make_algorithm(recorder, num_steps_posterior=40, update_post_train=3).train())
    calls = [call for call in recorder.calls if call[0] != "seed"]
    assert calls[0] == ("prior", [0, 1, 2, 3], 2000)
    tasks = calls[1][1]
    assert [call[0] for call in calls[1:5]] == ["clear", "prior", "posterior", "posterior"]
    assert calls[2] == ("prior", tasks, 400)
    assert calls[3] == ("posterior", tasks, 40, 3, True)
    assert calls[4] == ("posterior", tasks, 400, 3, False)
    rest = [call[0] for call in calls[5:]]
    assert "train" in rest
    assert rest[rest.index("train") : rest.index("train") + 4] == ["train", "adapt", "adapt", "posterior returns"]
    assert ("adapt", [4, 4, 5, 5]) in calls  # each test task num_evals times


@pytest.mark.parametrize(("source", "grows"), [("recent", False), ("replay", True), ("rl_batch", True)])
def test_context_from_all_data_sees_the_extra_episodes_too(source, grows):
    recorder = Recorder()
    list(make_algorithm(recorder, context_source=source).train())
    extra = [call for call in recorder.calls if call[0] == "posterior" and call[2] > 0]
    assert {call[-1] for call in extra} == {grows}


def test_the_rows_count_and_name_what_the_reference_does():
    rows = [result.row for result in make_algorithm(Recorder()).train()]
    assert [row["Epoch"] for row in rows] == [0, 1]
    assert [row["Number of train steps total"] for row in rows] == [2000, 4000]
    assert rows[0]["AverageReturn_all_test_tasks"] == rows[0]["AverageReturn"] == 1.0
    assert rows[0]["AverageReturn_all_train_tasks"] == 2.0
    assert rows[0]["AverageTrainReturn_all_train_tasks"] == 7.0
    names = list(rows[0])
    paths = [f"Test Return Trajectory {n}" for n in (1, 2, 3)]
    assert names[0] == "QF Loss"
    assert names[-6:] == ["AverageReturn", *paths, "Own", "Number of diverged episodes"]
    assert [row["Number of diverged episodes"] for row in rows] == [3 * 3, 2 * 3]  # the first with the initial pool
    times = [
        "Train Time (s)",
        "(Previous) Eval Time (s)",
        "Sample Time (s)",
        "Epoch Time (s)",
        "Total Train Time (s)",
    ]
    start = names.index("Train Time (s)")
    assert names[start : start + 6] == [*times, "Epoch"]


def test_each_iteration_has_streams_of_its_own():
    recorder = Recorder()
    list(make_algorithm(recorder).train())
    seeds = [seed for call in recorder.calls if call[0] == "seed" for seed in call[1:]]
    assert len(seeds) == len(set(seeds)) == 2 + 2 * (2 + 1 + 2)


def test_evaluation_every_so_many_iterations_and_at_both_ends():
    recorder = Recorder()
    algorithm = make_algorithm(recorder, num_itrs_per_eval=3, num_iterations=5)
    results = list(algorithm.train())
    assert [result.evaluation is not None for result in results] == [True, False, False, True, True]
    assert "AverageReturn_all_test_tasks" not in results[1].row
    assert results[1].row["Epoch"] == 1
