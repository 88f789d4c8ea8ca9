"""The notebook runs from top to bottom on the checkpoint that the repository ships, and shows what it says."""

import json
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

from rlkit.config.files import load_config

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
CHECKPOINT = NOTEBOOKS / "sparse_point_robot"
NUM_PICTURES = 4


@pytest.fixture(scope="module")
def outputs():
    """Everything that the cells print or draw, in order."""
    notebook = nbformat.read(NOTEBOOKS / "sparse_point_robot.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    client.execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.slow
def test_it_draws_its_pictures_and_complains_of_nothing(outputs):
    assert sum("image/png" in output.get("data", {}) for output in outputs) == NUM_PICTURES
    assert not [output["text"] for output in outputs if output.get("name") == "stderr"]


@pytest.mark.slow
def test_the_agent_adapts(outputs):
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    found, goals = map(int, re.search(r"found for (\d+) of (\d+) goals", printed).groups())
    first, last = map(float, re.search(r"first trajectory ([\d.]+), of the last ([\d.]+)", printed).groups())
    assert goals == 20
    assert found >= goals / 2
    assert last > first + 15


def test_the_checkpoint_is_small_and_of_the_command_that_the_notebook_names():
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 2**20
    source = (NOTEBOOKS / "sparse_point_robot.ipynb").read_text()
    assert "launch_experiment.py configs/sparse-point-robot-small.json --seed 1 --cpu" in source
    config = ROOT / "configs/sparse-point-robot-small.json"
    named = load_config(config, settings={"seed": 1, "util_params.use_gpu": False})
    assert load_config(CHECKPOINT / "variant.json") == named


def test_the_notebook_as_shipped_shows_its_results():
    notebook = json.loads((NOTEBOOKS / "sparse_point_robot.ipynb").read_text())
    shown = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert sum("image/png" in output.get("data", {}) for outputs in shown for output in outputs) == NUM_PICTURES
