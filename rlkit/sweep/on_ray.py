"""Work on Ray Tune: the cluster, what is asked of it for each run, and what it tells of them."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import TuneError
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from envs.cpus import usable_cpus
from rlkit.launchers.runs import Run
from rlkit.sweep.engine import Means
from rlkit.sweep.launch import POLL_SECONDS, Outcome, Row
from rlkit.sweep.store import Store
from rlkit.sweep.trial import BEFORE, ITERATION, OUTCOME, VALUE, Job, Trial
from rlkit.sweep.work import Work
from rlkit.util.errors import RunError, UserError
from rlkit.util.signals import StopSignal

RESTARTS = 10  # of a run whose worker, machine or process was killed
OBJECT_STORE_BYTES = 80 * 2**20  # hardly anything goes through it; the least that Ray takes is 75 MiB
CONNECT_SECONDS = 5.0
START_TRIES = 3
WAITING = 16  # runs that wait for room: they start side by side, and a cluster that grows is told what it lacks
MAX_ITERATIONS = 10**9  # ASHA's rungs reach as far; a run ends by itself
SAVE_SECONDS = 600.0  # that runs may take to save themselves
ENVIRONMENT = {
    "RAY_worker_niceness": "0",  # a run is as urgent as one that the launcher starts
    "RAY_worker_register_timeout_seconds": "300",  # a machine that is busy with runs is slow to start more
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a run without a share of a GPU is told which to take by --gpu
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C stops by `_StopAll`, as SIGTERM does
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial reports before it has a value
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # a run's own files say it all
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def execute_on_ray(work: Work, means: Means) -> None:
    store = None if means.store is None else Store(means.store)
    if store is not None:
        store.require_writable()
    runs = iter(work.next, None)
    first = next(runs, None)
    if first is None:
        return
    environment = {**ENVIRONMENT, "TUNE_MAX_PENDING_TRIALS_PG": str(WAITING if work.is_known else 1)}
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    tell = _Tell(work, store)
    with _cluster(means.address):
        share = _share(means)
        with StopSignal() as stop, tempfile.TemporaryDirectory(prefix="pearl-tune-") as folder:
            try:
                tune.run(  # tune.Tuner would pickle all of this, to restore what is not restored here
                    Trial,
                    name="tune",
                    resources_per_trial=share,
                    search_alg=_Runs(itertools.chain([first], runs), means, share),
                    scheduler=_scheduler(work, means),
                    num_samples=-1,
                    max_concurrent_trials=means.jobs,
                    reuse_actors=True,
                    max_failures=RESTARTS,
                    raise_on_failed_trial=False,
                    callbacks=[tell],
                    stop=_StopAll(stop, means.deadline),
                    storage_path=folder,
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    verbose=0,
                )
            except (TuneError, RayError) as error:
                reason = str(error).strip().splitlines()[-1]
                raise RunError(f"Ray gave up: {reason}; the study goes on by --resume") from error
    tell.end()
    if stop.received:
        raise KeyboardInterrupt


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Be part of a cluster: the one at `address`, or one of this machine alone that ends with the block.

    Raises:
        UserError: there is none.
    """
    if address not in (None, "auto"):
        _require_listener(str(address))
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is None:
            _start(quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises all kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if address is None:
            raise RunError(f"Ray did not start: {reason}") from None
        raise UserError(f"--address {address}: {reason}") from None
    for name in ("ray", "ray.tune"):  # a worker that dies is told in a line, see `_Tell`
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def _start(options: Mapping[str, Any]) -> None:
    """Start Ray on this machine; it gives up after 30 s, which a machine that is busy with runs may need."""
    for tries_left in reversed(range(START_TRIES)):
        try:
            ray.init(
                "local",
                num_cpus=usable_cpus(),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **options,
            )
            return
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise


def _require_listener(address: str) -> None:
    """See that something listens there, sooner than Ray gives up.

    Raises:
        UserError: nothing does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"--address {address}: should be HOST:PORT of a running cluster's head, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address}: nothing listens there ({error})") from None


def _share(means: Means) -> dict[str, float]:
    """What of a machine each run gets.

    Raises:
        UserError: no machine of the cluster has as much; Ray would wait for one for ever.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    most = {kind: max(machine.get(kind, 0.0) for machine in machines) for kind in ("CPU", "GPU")}
    gpus = means.gpus
    if gpus is None:
        gpus = min(1.0, most["GPU"] / (means.jobs or 1)) if means.address is None else float(most["GPU"] > 0)
    if gpus > 1 and gpus != int(gpus):
        raise UserError(f"--gpus-per-run {gpus:g}: above 1 it should be a whole number")
    for option, kind, wanted in (("--cpus-per-run", "CPU", means.cpus), ("--gpus-per-run", "GPU", gpus)):
        if wanted > most[kind]:
            raise UserError(f"{option} {wanted:g}: the largest machine here has {most[kind]:g} {kind}s")
    return {"CPU": means.cpus, "GPU": gpus}


def _scheduler(work: Work, means: Means) -> TrialScheduler:
    """What ends trials early: nothing, or ASHA, which is told of the runs that ended in an earlier session."""
    if means.asha is None:
        return FIFOScheduler()
    asha: Any = ASHAScheduler(
        time_attr=ITERATION,
        metric=VALUE,
        mode=means.mode,
        max_t=MAX_ITERATIONS,
        stop_last_trials=False,
        **means.asha.model_dump(),
    )
    for name, rows in work.past():
        ended = SimpleNamespace(trial_id=name)
        asha.on_trial_add(None, ended)
        for row in rows:
            asha.on_trial_result(None, ended, {ITERATION: row.iteration, VALUE: row.value})
    return asha


class _Runs(Searcher):
    """Hands the runs to Tune; what there is to keep of the search is in the study's own folder."""

    def __init__(self, runs: Iterator[Run], means: Means, share: Mapping[str, float]) -> None:
        super().__init__()
        self._runs, self._means = runs, means
        self._device = means.device if means.device is not None else ["--gpu", "0"] if share["GPU"] else ["--cpu"]

    def suggest(self, trial_id: str) -> Any:
        run = next(self._runs, None)
        if run is None:
            return Searcher.FINISHED
        config = "" if self._means.store is None else run.config.read_text(encoding="utf-8")
        return {"job": Job(run, self._device, self._means.metric, Path.cwd(), config, self._means.store)}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """`_Tell` has heard it."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a study goes on from its folder."""


class _Tell(tune.Callback):
    """Tells the work what Tune hears of its trials."""

    def __init__(self, work: Work, store: Store | None) -> None:
        self._work, self._store = work, store
        self._under_way: dict[str, Run] = {}
        self._stopped: list[Run] = []
        self._last: dict[str, int] = {}  # iterations that were told of

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Also called when a trial starts again."""
        if trial.trial_id not in self._under_way:
            self._under_way[trial.trial_id] = _run_of(trial)
            self._work.starts(_run_of(trial))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        """A trial that starts again tells its rows again."""
        if BEFORE in result and trial.trial_id not in self._last:
            self._last[trial.trial_id] = 0
            self._work.began(_run_of(trial), result[BEFORE])
        if result.get(ITERATION, 0) > self._last.get(trial.trial_id, 0):
            self._last[trial.trial_id] = result[ITERATION]
            self._work.row(_run_of(trial), Row(result[ITERATION], result[VALUE]))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker, its machine or the run's process died."""
        self._work.lost(_run_of(trial))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """By itself, or by the scheduler."""
        said = trial.last_result.get(OUTCOME)
        self._ended(trial.trial_id, Outcome("stopped") if said is None else Outcome(*said))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """It was started again too often."""
        reason = str(trial.get_error() or "its worker died").strip().splitlines()[-1]
        self._ended(trial.trial_id, Outcome("failed", f"{reason} ({RESTARTS} times started again)"))

    def end(self) -> None:
        """All is over: what is still under way was interrupted, and saves itself by now, as do those just stopped."""
        runs = [*self._under_way.values(), *self._stopped]
        deadline = time.monotonic() + SAVE_SECONDS
        if any(run.is_running for run in runs):
            click.echo("waiting for the runs to save themselves")
        while any(run.is_running for run in runs) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        for trial_id in list(self._under_way):
            self._ended(trial_id, Outcome("interrupted"))
        for run in self._stopped:
            self._fetch(run)
            self._work.settled(run)

    def _ended(self, trial_id: str, outcome: Outcome) -> None:
        run = self._under_way.pop(trial_id, None)
        if run is None:
            return  # it waited for room
        if outcome.state == "stopped":
            self._stopped.append(run)
        self._fetch(run)
        self._work.ended(run, outcome)

    def _fetch(self, run: Run) -> None:
        if self._store is not None:
            self._store.fetch(run.folder)


class _StopAll(tune.Stopper):
    """Ends all trials once a signal came or the time is over."""

    def __init__(self, stop: StopSignal, deadline: float) -> None:
        self._stop, self._deadline = stop, deadline

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No trial is ended for itself."""
        return False

    def stop_all(self) -> bool:
        return self._stop.received is not None or time.monotonic() >= self._deadline


def _run_of(trial: Any) -> Run:
    return trial.config["job"].run
