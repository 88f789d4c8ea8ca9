"""Whatever becomes of any one file of a run: the same numbers, those of the checkpoint before, or one line."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from runs.short import LONGER, ROOT, resume, start

from rlkit.core.rl_algorithm import MetaRLAlgorithm
from rlkit.viz.dashboard.store import RunStore
from rlkit.viz.dashboard.tables import run_rows
from rlkit.viz.plotting import write_reports
from rlkit.viz.run_reader import find_runs

FILES = (
    "variant.json", "tasks.json", "versions.json", "status.json", "progress.csv", "experience.journal", "debug.log",
    "checkpoints/00000002.json", "checkpoints/00000002.npz", "checkpoints/00000003.json", "checkpoints/00000003.npz",
    "context_encoder.pth", "policy.pth", "qf1.pth", "vf.pth", "evaluation.npz", "events.out.tfevents.*", ".lock",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.syspath_prepend(ROOT / "scripts")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, what sim_policy.py finds there, and the two states that may be gone on from."""
    base = tmp_path_factory.mktemp("runs")
    folder, copy = start(base, "run")[1], base / "copy"
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(ROOT / "scripts")
        states = []
        for number in (2, 3):
            shutil.copytree(folder, copy)
            report = simulated(copy)
            for newer in range(number + 1, 4):
                (copy / f"checkpoints/0000000{newer}.json").unlink()
            states.append(restored(copy, patched))
            shutil.rmtree(copy)
    assert len({None, *states}) == 3
    return folder, report, states


def damages(data, truncations, flips, seed):
    """Copies of a file's content: cut somewhere, or with a bit that is another."""
    rng = np.random.default_rng(seed)
    for size in rng.integers(len(data), size=truncations) if data else ():
        yield data[:size]
    for place in rng.integers(len(data) * 8, size=flips) if data else ():
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << (place % 8)
        yield bytes(damaged)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def restored(folder, monkeypatch):
    """The refusal of --resume, or a checksum of all that the next iteration would begin with."""
    states = []

    def state_alone(self):
        digest = hashlib.sha256(repr((self.state()[:2], contents(folder)[folder / "progress.csv"])).encode())
        for name, array in sorted(self._training.arrays().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        states.append(digest.hexdigest())
        return iter(())

    monkeypatch.setattr(MetaRLAlgorithm, "train", state_alone)
    result = resume(folder, *LONGER)
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    if states:
        assert result.exit_code == 0, result.output
        return states[0]
    assert result.exit_code in (1, 2)
    assert len(result.output.splitlines()) == 1, result.output
    return None


def simulated(folder):
    """What sim_policy.py finds, None where it refuses."""
    import sim_policy

    result = CliRunner().invoke(sim_policy.main, [str(folder)])
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    if result.exit_code == 0:
        return json.loads((folder / "sim_policy.json").read_text())
    assert len(result.output.splitlines()) == 1, result.output
    return None


READ_BY_PLOT = ("variant.json", "tasks.json", "progress.csv", "evaluation.npz")
AMOUNTS = [pytest.param(1, 1, id="few"), pytest.param(20, 200, id="all", marks=pytest.mark.slow)]


@pytest.mark.parametrize(("truncations", "flips"), AMOUNTS)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_found_or_changes_no_number(run, tmp_path, monkeypatch, name, truncations, flips):
    run, report, expected = run
    folder = tmp_path / "copy"
    name = str(next(run.glob(name)).relative_to(run))

    def fresh():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(run, folder)

    fresh()
    for number, damaged in enumerate(damages((run / name).read_bytes(), truncations, flips, seed=len(name))):
        (folder / name).write_bytes(damaged)
        assert simulated(folder) in (None, report)
        if number % 40 == 0 and name in READ_BY_PLOT:
            write_reports(find_runs([folder]), [folder])
        store = RunStore(tmp_path)
        store.scan()
        json.dumps(run_rows(store, store.runs(), "AverageReturn_all_test_tasks"), allow_nan=False)
        before = contents(folder)
        found = restored(folder, monkeypatch)
        if found is None:
            assert contents(folder) == before
        else:
            assert found in expected
            fresh()
        (folder / name).write_bytes((run / name).read_bytes())
