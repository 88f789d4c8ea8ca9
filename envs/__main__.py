"""`python -m envs` lists the families; `python -m envs ID --render out.mp4` films a random policy."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from envs.catalogue import table
from envs.registry import find_class
from envs.single import SingleEnv
from envs.types import Frame
from envs.video import film


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.env_name is None:
            print(table())
        elif options.render is None:
            _describe(options.env_name)
        else:
            _film(options)
    except (ValueError, IndexError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m envs", description="List, describe and film the task families.")
    parser.add_argument("env_name", metavar="ID", nargs="?", help="a family; without one all are listed")
    parser.add_argument(
        "--render", metavar="FILE", type=os.path.expanduser, help="film a random policy into FILE (mp4)"
    )
    parser.add_argument("--task", metavar="INDEX", type=int, default=0, help="index of the task to film (0)")
    parser.add_argument("--n-tasks", metavar="N", type=int, default=2, help="number of tasks to draw (2)")
    parser.add_argument("--steps", metavar="N", type=int, help="steps to film (one horizon)")
    parser.add_argument("--seed", type=int, default=0, help="of start states and actions (0)")
    return parser


def _describe(env_name: str) -> None:
    """Print what the class says of itself, and its first tasks."""
    env_class = find_class(env_name)
    env = SingleEnv(env_name)
    print(inspect.getdoc(env_class))
    print(f"\nobservation {env.observation_space.shape}, action {env.action_space.shape}, the first tasks:")
    for task in env.tasks:
        print(json.dumps(task, default=str))


def _film(options: argparse.Namespace) -> None:
    """Roll random actions for the steps asked for, episode after episode, and film them."""
    env = SingleEnv(options.env_name, task=options.task, n_tasks=options.n_tasks, render_mode="rgb_array")
    steps = env.meta_env.max_path_length if options.steps is None else options.steps
    with film(Path(options.render), env.metadata["render_fps"]) as append:
        env.reset(seed=options.seed)
        env.action_space.seed(options.seed)
        append(_frame(env))
        for _ in range(steps):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            append(_frame(env))
            if terminated or truncated:
                env.reset()
    env.close()
    print(f"{options.render}: {steps} steps of {options.env_name}, {env.meta_env.task_caption(env.task)}")


def _frame(env: SingleEnv) -> Frame:
    frame = env.render()
    assert frame is not None, "the environment has a render mode"
    return frame


if __name__ == "__main__":
    sys.exit(main())
