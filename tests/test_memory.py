"""Memory does not grow with the number of iterations, what the buffers hold aside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MIB = 2**20

PROGRAM = """
import json, sys
from pathlib import Path
import launch_experiment as launcher
from rlkit.runs import logger

sizes = {}
write = logger.RunLogger.write

def resident():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024

def measured(self, result):
    write(self, result)
    sizes[result.number + 1] = resident()

logger.RunLogger.write = measured
try:
    launcher.main(sys.argv[2:])
except SystemExit:
    pass
Path(sys.argv[1]).write_text(json.dumps(sizes))
"""


@pytest.mark.slow
def test_resident_size_after_200_iterations_is_that_after_20(tmp_path):
    settings = {
        "util_params.base_log_dir": str(tmp_path),
        "util_params.debug": False,
        "algo_params.num_iterations": 200,
        "algo_params.num_train_steps_per_itr": 2,
        "algo_params.meta_batch": 2,
        "algo_params.batch_size": 16,
        "algo_params.num_tasks_sample": 1,
        "algo_params.num_evals": 1,
        "algo_params.num_initial_steps": 20,
        "algo_params.num_steps_prior": 20,
        "algo_params.num_extra_rl_steps_posterior": 20,
        "n_train_tasks": 4,
        "n_eval_tasks": 2,
        "net_size": 32,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    sizes_path = tmp_path / "sizes.json"
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(sizes_path),
        str(ROOT / "configs/point-robot.json"),
        "--cpu",
        *words,
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    sizes = {int(number): size for number, size in json.loads(sizes_path.read_text()).items()}
    assert len(sizes) == 200
    assert sizes[200] < 1.05 * sizes[20], (sizes[20] / MIB, sizes[200] / MIB)
