"""A tiny base config, and studies over it."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import tiny_config

ROOT = Path(__file__).parents[2]
TINY = {
    **tiny_config(num_iterations=3, num_tasks_sample=2),
    "util_params": {"plots": False, "num_threads": 1},
}


class Project:
    """A folder with the config `tiny.json` and studies; results go below its `output`."""

    def __init__(self, folder):
        self.folder = folder
        self.change()

    def change(self, **algo_params):
        """Write the base config anew."""
        util = {**TINY["util_params"], "base_log_dir": str(self.folder / "output")}
        tree = {**TINY, "algo_params": {**TINY["algo_params"], **algo_params}, "util_params": util}
        (self.folder / "tiny.json").write_text(json.dumps(tree))

    def write(self, name="study", **study):
        """The file of a study over `tiny.json`."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"base": "tiny.json", **study}))
        return path

    def session(self, *, resumes=False, name="study", **study):
        from rlkit.sweep.session import Session
        from rlkit.sweep.study import load_study

        return Session(*load_study(self.write(name, **study)), name, resumes=resumes)

    def __call__(self, path, *words):
        """scripts/sweep.py as a user calls it."""
        import sweep

        return CliRunner().invoke(sweep.main, [str(path), *words])

    def words(self, path, *words):
        """The same as a process of its own."""
        return [sys.executable, str(ROOT / "scripts/sweep.py"), str(path), *words]

    def study_folder(self, name="study"):
        return self.folder / "output/point-robot" / name


@pytest.fixture
def project(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return Project(tmp_path)
