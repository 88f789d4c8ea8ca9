"""The meta-training loop: collect, train, evaluate, write a row (paper, algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from rlkit.config.settings import AlgoParams
from rlkit.core.collector import Collector
from rlkit.core.evaluation import Adaptation, Evaluator
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.experience import Experience
from rlkit.data_management.journal import Mark
from rlkit.torch.sac.training_phase import Statistics, TrainingPhase
from rlkit.util.records import IndexArray, Paths
from rlkit.util.seeding import INITIAL_POOL, Stream, stream_seed
from rlkit.util.signals import StopSignal
from rlkit.util.timing import PhaseTimer

DIVERGED_COLUMN = "Number of diverged episodes"  # of the iteration, collecting and evaluation


class Display:
    """Is told where the run is; this one shows nothing."""

    def say(self, text: str) -> None:
        """Print a line."""

    def phase(self, name: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def advance(self, num_steps: int) -> None:
        """`num_steps` more steps of the phase are done."""


class TaskSplit(NamedTuple):
    """Which tasks of the set train and which test: the first ones, and the last ones."""

    train: IndexArray
    test: IndexArray


class Progress(NamedTuple):
    """Totals since the run began."""

    iterations: int = 0  # complete ones
    collected: int = -1  # the last iteration whose data are complete; 0: the initial pool
    trained: int = 0  # gradient steps of the iteration under way
    train_steps: int = 0
    env_steps: int = 0  # collected transitions; evaluation does not count
    rollouts: int = 0  # collected paths
    diverged: int = 0  # paths of the iteration under way that a diverging simulation has cut


class Evaluation(NamedTuple):
    """How well the agent does after an iteration."""

    test: Adaptation  # to the evaluation tasks
    train: Adaptation  # to as many training tasks
    posterior_return: float  # of those training tasks, z from their replayed context


class IterationResult(NamedTuple):
    """What an iteration leaves: the row of progress.csv and the evaluations behind it."""

    number: int  # from 1
    row: Mapping[str, float | None]  # without the columns of an evaluation where there was none
    evaluation: Evaluation | None

    @property
    def epoch(self) -> int:
        """The number in the row, and in the files and events that go with it: from 0, as the reference counts."""
        return self.number - 1


class MetaRLAlgorithm:
    """Meta-training from parts that are handed to it."""

    def __init__(
        self,
        params: AlgoParams,
        seed: int,
        tasks: TaskSplit,
        *,
        collector: Collector,
        experience: Experience,
        contexts: ContextSampler,
        training: TrainingPhase,
        evaluator: Evaluator,
        display: Display,
        stop: StopSignal,
    ) -> None:
        """Keep the parts; `seed` fixes every stream of random numbers, `stop` is looked at between steps."""
        self._params = params
        self._seed = seed
        self._tasks = tasks
        self._collector = collector
        self._experience = experience
        self._contexts = contexts
        self._training = training
        self._evaluator = evaluator
        self._display = display
        self._stop = stop
        self._timer = PhaseTimer()
        self.progress = Progress()
        self._before_collecting: tuple[Progress, Mark] | None = None

    def state(self) -> tuple[Progress, Mark, dict[str, float]]:
        """Where the run can go on from: progress, place in the journal, seconds by phase.

        A collection that is under way does not count: it starts over.
        """
        progress, mark = self._before_collecting or (self.progress, self._experience.mark())
        return progress, mark, self._timer.state()

    def restore(self, progress: Progress, seconds: Mapping[str, float]) -> None:
        """Go on from a state; buffers and training phase have been restored."""
        self.progress = progress
        self._timer = PhaseTimer(seconds)

    def train(self) -> Iterable[IterationResult]:
        """Run all iterations that are left; yields each one's result when it is complete.

        Raises:
            StopRequested: a signal came; `state` is where to go on.
        """
        if self.progress.collected < INITIAL_POOL:
            with self._timer.phase("sample"), self._collecting(INITIAL_POOL):
                self._collect_initial_pool()
        while self.progress.iterations < self._params.num_iterations:
            yield self._iterate()

    def _iterate(self) -> IterationResult:
        number = self.progress.iterations + 1
        if self.progress.collected < number:
            with self._timer.phase("sample"), self._collecting(number):
                self._collect(number)
        with self._timer.phase("train"):
            statistics = self._train(number)
        with self._timer.phase("eval"):
            evaluation = self._evaluate(number) if self._is_evaluated(number) else None
        row = self._row(number, statistics, evaluation)
        self.progress = self.progress._replace(iterations=number, trained=0, diverged=0)
        return IterationResult(number, row, evaluation)

    @contextmanager
    def _collecting(self, number: int) -> Iterator[None]:
        """Until the block is complete, the run's state is the one before it."""
        self._before_collecting = (self.progress, self._experience.mark())
        yield
        diverged = self.progress.diverged + self._collector.num_diverged
        self.progress = self.progress._replace(collected=number, diverged=diverged)
        self._before_collecting = None

    # ---- collecting --------------------------------------------------------------------------------------

    def _collect_initial_pool(self) -> None:
        """`num_initial_steps` transitions of every training task with z ~ prior, into both buffers."""
        self._seed_collector(INITIAL_POOL)
        self._display.phase("initial pool", len(self._tasks.train) * self._params.num_initial_steps)
        self._store(self._collector.from_prior(self._tasks.train, self._params.num_initial_steps), as_context=True)

    def _collect(self, iteration: int) -> None:
        """Fresh data of `num_tasks_sample` training tasks, drawn with replacement."""
        params = self._params
        self._seed_collector(iteration)
        rng = np.random.default_rng(stream_seed(self._seed, Stream.TASKS, iteration))
        drawn = rng.choice(self._tasks.train, params.num_tasks_sample)
        per_task = params.num_steps_prior + params.num_steps_posterior + params.num_extra_rl_steps_posterior
        self._display.phase("collect", len(drawn) * per_task)
        for tasks in distinct_waves(drawn):
            self._experience.clear_context(tasks)
            prior_paths = self._collector.from_prior(tasks, params.num_steps_prior)
            self._store(prior_paths, as_context=True)
            for num_steps, as_context in (
                (params.num_steps_posterior, True),
                (params.num_extra_rl_steps_posterior, False),
            ):
                posterior_paths = self._collector.from_posterior(
                    tasks,
                    num_steps,
                    self._contexts,
                    paths_per_update=params.update_post_train,
                    context_grows=as_context or params.context_source != "recent",  # which reads the replay buffer
                )
                self._store(posterior_paths, as_context=as_context)

    def _seed_collector(self, iteration: int) -> None:
        env_seed = stream_seed(self._seed, Stream.COLLECT_ENV, iteration)
        self._collector.seed(env_seed, stream_seed(self._seed, Stream.COLLECT_AGENT, iteration))

    def _store(self, batches: Iterable[Paths], *, as_context: bool) -> None:
        """Keep paths as they come."""
        for paths in batches:
            self._stop.check()
            self._experience.add(paths, as_context=as_context)
            self.progress = self.progress._replace(
                env_steps=self.progress.env_steps + int(paths.length.sum()),
                rollouts=self.progress.rollouts + len(paths.length),
            )
            self._display.advance(int(paths.length.sum()))

    # ---- training and evaluation -------------------------------------------------------------------------

    def _train(self, iteration: int) -> Statistics:
        num_steps, trained = self._params.num_train_steps_per_itr, self.progress.trained
        self._display.phase("train", num_steps)
        self._display.advance(trained)
        if trained == 0:
            self._training.start(stream_seed(self._seed, Stream.TRAIN, iteration))
        self._training.run(num_steps - trained, self._after_gradient_step)
        return self._training.statistics()

    def _after_gradient_step(self) -> None:
        progress = self.progress
        self.progress = progress._replace(trained=progress.trained + 1, train_steps=progress.train_steps + 1)
        self._display.advance(1)
        if self.progress.trained < self._params.num_train_steps_per_itr:  # what is left is short: go on to the row
            self._stop.check()

    def _is_evaluated(self, iteration: int) -> bool:
        """Every `num_itrs_per_eval`-th iteration, the first and the last."""
        return (iteration - 1) % self._params.num_itrs_per_eval == 0 or iteration == self._params.num_iterations

    def _evaluate(self, iteration: int) -> Evaluation:
        self._display.phase("evaluate", 1)
        rng = np.random.default_rng(stream_seed(self._seed, Stream.EVAL_TASKS, iteration))
        train_tasks = rng.choice(self._tasks.train, len(self._tasks.test))
        self._evaluator.seed(
            stream_seed(self._seed, Stream.EVAL_ENV, iteration), stream_seed(self._seed, Stream.EVAL_AGENT, iteration)
        )
        test = self._evaluator.adapt(np.repeat(self._tasks.test, self._params.num_evals))
        train = self._evaluator.adapt(np.repeat(train_tasks, self._params.num_evals))
        posterior_return = float(self._evaluator.posterior_returns(train_tasks, self._contexts).mean())
        self.progress = self.progress._replace(diverged=self.progress.diverged + self._evaluator.num_diverged)
        self._display.advance(1)
        return Evaluation(test, train, posterior_return)

    def _row(self, iteration: int, statistics: Statistics, evaluation: Evaluation | None) -> dict[str, float | None]:
        """The row of progress.csv: the reference's columns in its order, then this project's."""
        before, after = self._evaluation_columns(evaluation) if evaluation is not None else ({}, {})
        times = self._timer.close_iteration()
        return {
            **statistics.shared,
            **before,
            "Number of train steps total": self.progress.train_steps,
            "Number of env steps total": self.progress.env_steps,
            "Number of rollouts total": self.progress.rollouts,
            "Train Time (s)": times["train"],
            "(Previous) Eval Time (s)": times["eval"],
            "Sample Time (s)": times["sample"],
            "Epoch Time (s)": times["epoch"],
            "Total Train Time (s)": times["total"],
            "Epoch": iteration - 1,
            **after,
            **statistics.own,
            DIVERGED_COLUMN: self.progress.diverged,
        }

    def _evaluation_columns(self, evaluation: Evaluation) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """What an evaluation adds to a row: the reference's columns, and this project's."""
        test, train, posterior_return = evaluation
        test_return = float(test.final_return.mean())
        online_columns = self._params.num_full_paths_per_eval
        return {
            "Z mean eval": float(np.abs(test.z_mean).mean()),
            "Z variance eval": float(test.z_var.mean()),
            "AverageTrainReturn_all_train_tasks": posterior_return,
            "AverageReturn_all_train_tasks": float(train.final_return.mean()),
            "AverageReturn_all_test_tasks": test_return,
        }, {
            "AverageReturn": test_return,
            **{f"Test Return Trajectory {n + 1}": test.return_of_path(n) for n in range(online_columns)},
            **{f"Test {name}": value for name, value in test.terms_of_last_paths().items()},
        }


def distinct_waves(tasks: IndexArray) -> list[IndexArray]:
    """Split `tasks` into groups without repetition, in order of drawing.

    A task drawn twice collects twice, the second time after its recent data were cleared again: so its turns come
    one after the other, while different tasks collect side by side.
    """
    turn = np.array([(tasks[:place] == task).sum() for place, task in enumerate(tasks)])
    return [tasks[turn == number] for number in range(turn.max() + 1)]
