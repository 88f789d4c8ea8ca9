"""Experiment folders as a run leaves them, with numbers that are known."""

import csv
import json
import time
from pathlib import Path

import numpy as np

X, Y = "Number of env steps total", "AverageReturn_all_test_tasks"
COLUMNS = [
    "Z mean train", "Z variance train", "KL Divergence", "KL Loss", "QF Loss", "VF Loss", "Policy Loss",
    *(f"{what} {part}" for what in ("Q Predictions", "V Predictions", "Log Pis", "Policy mu", "Policy log std")
      for part in ("Mean", "Std", "Max", "Min")),
    "Z mean eval", "Z variance eval", "AverageTrainReturn_all_train_tasks", "AverageReturn_all_train_tasks", Y,
    "Number of train steps total", X, "Number of rollouts total", "Train Time (s)", "(Previous) Eval Time (s)",
    "Sample Time (s)", "Epoch Time (s)", "Total Train Time (s)", "Epoch", "AverageReturn",
    "Test Return Trajectory 1", "Test Return Trajectory 2", "Test Return Trajectory 3",
]  # fmt: skip


def make_config(env_name="cheetah-vel", seed=0, kl_lambda=0.1, **top):
    return {
        "env_name": env_name,
        "n_train_tasks": 4,
        "n_eval_tasks": 2,
        "latent_size": 5,
        "net_size": 300,
        "encoder_size": 200,
        "path_to_weights": None,
        "seed": seed,
        "env_params": {"n_tasks": 6, "randomize_tasks": True, "task_seed": 1337},
        "algo_params": {"meta_batch": 16, "kl_lambda": kl_lambda, "num_iterations": 500, "num_exp_traj_eval": 2},
        "util_params": {"base_log_dir": "output", "use_gpu": True, "gpu_id": seed % 2},
        **top,
    }


def make_run(folder, returns, config=None, steps=None, state="finished", columns=COLUMNS, updated=None):
    """A folder with progress.csv, variant.json and status.json; every other column holds the row's number."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    returns = np.asarray(returns, dtype=float)
    steps = 1000.0 * np.arange(1, len(returns) + 1) if steps is None else np.asarray(steps, dtype=float)
    known = {X: steps, Y: returns, "AverageReturn": returns}
    table = [known.get(column, np.arange(len(returns), dtype=float)) for column in columns]
    with (folder / "progress.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(np.stack(table, axis=1).tolist())
    (folder / "variant.json").write_text(json.dumps(make_config() if config is None else config))
    status = {"state": state, "iteration": len(returns), "updated": time.time() if updated is None else updated}
    (folder / "status.json").write_text(json.dumps(status))
    return folder


def append_rows(folder, steps, returns, columns=COLUMNS):
    known = [{X: x, Y: y, "AverageReturn": y} for x, y in zip(steps, returns, strict=True)]
    with (Path(folder) / "progress.csv").open("a") as file:
        file.writelines(",".join(str(row.get(column, 0.0)) for column in columns) + "\n" for row in known)


def add_evaluation(folder, tasks, eval_tasks, lanes_per_task=2, trajectories=3, points=False, latent=5, seed=0):
    """tasks.json and evaluation.npz; trajectory n of task i returns 10 i + n."""
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    (folder / "tasks.json").write_text(json.dumps({"tasks": tasks, "train_tasks": [0], "eval_tasks": eval_tasks}))
    lanes = np.repeat(eval_tasks, lanes_per_task)
    arrays = {
        "tasks": lanes,
        "returns": 10.0 * lanes[:, None] + np.arange(1, trajectories + 1),
        "z_mean": rng.normal(size=(len(lanes), latent)).astype(np.float32),
        "z_var": np.full((len(lanes), latent), 0.1, np.float32),
    }
    if points:
        arrays["observations"] = rng.normal(size=(len(lanes), trajectories, 21, 2)).astype(np.float32)
    np.savez(folder / "evaluation.npz", **arrays)
    return arrays
