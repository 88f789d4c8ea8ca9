"""What somebody else's environment has, read in the many ways in which they say it; each lack in one line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.types import AnyBox

UNBOUNDED = "its action_space has no bounds: actions are within [-1, 1]"
MAX_SHOWN = 100  # characters of a space or a reward


def constructor_parameters(env_class: Any) -> Iterator[inspect.Parameter]:
    """Parameters of the constructors of a class and of those that it extends."""
    for base in env_class.__mro__[:-1]:
        if "__init__" in vars(base):
            yield from inspect.signature(vars(base)["__init__"]).parameters.values()


def title(env: Any) -> str:
    """What the class of an environment is called."""
    return type(env).__name__


def layers(env: Any) -> list[Any]:
    """An environment and what it wraps, from the outermost to the innermost: gymnasium's wrappers hide attributes."""
    found = [env]
    while hasattr(found[-1], "unwrapped") and getattr(found[-1], "env", None) is not None:
        found.append(found[-1].env)
    return found


def task_layer(env: Any) -> Any:
    """The layer that changes the task.

    Raises:
        ValueError: there is none.
    """
    for layer in layers(env):
        if callable(getattr(layer, "reset_task", None)):
            return layer
    raise ValueError(f"{title(env)} lacks reset_task: see envs.register_env")


def tasks_of(env: Any) -> list[Any]:
    """The task set, as JSON can save it; of an environment that only tells indices, these.

    Raises:
        ValueError: there is none.
    """
    for layer in layers(env):
        told = getattr(layer, "tasks", None)
        if told is None and callable(getattr(layer, "get_all_task_idx", None)):
            told = layer.get_all_task_idx()
        if told is not None and len(told):
            return [_plain(task) for task in told]
    raise ValueError(f"{title(env)} has no tasks: it needs `tasks` or `get_all_task_idx()`")


def give_tasks(env: Any, tasks: list[Any]) -> None:
    """Put another task set where the environment keeps its own."""
    holders = [layer for layer in layers(env) if hasattr(layer, "tasks")]
    (holders or layers(env))[-1].tasks = tasks


def _plain(value: Any) -> Any:
    """`value` as JSON can save it; what is no number, text or collection of these, as it prints."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, bool | int | float | str) else repr(value)


def observation_size(env: Any) -> int:
    """How many numbers an observation has.

    Raises:
        ValueError: it is not made of numbers alone.
    """
    space = getattr(env, "observation_space", None)
    shape = getattr(space, "shape", None)
    if not shape:
        raise ValueError(f"{title(env)}: observation_space must be a box of numbers, got {_shown(space)}")
    return int(np.prod(shape))


def action_box(env: Any) -> tuple[AnyBox, list[str]]:
    """The box that actions are within, and what to say of it: one without bounds becomes [-1, 1].

    Raises:
        ValueError: actions are no vectors of real numbers, or bounded on one side alone.
    """
    space = getattr(env, "action_space", None)
    shape = getattr(space, "shape", None)
    is_foreign = not isinstance(space, spaces.Space) and not any(hasattr(space, name) for name in ("n", "nvec"))
    real = np.dtype(getattr(space, "dtype", None) or np.float32).kind == "f"
    must = f"{title(env)}: action_space must be"
    if not shape or not real or not (is_foreign or isinstance(space, spaces.Box)):
        kind = "; actions here are real numbers" if shape else ""
        raise ValueError(f"{must} a box of numbers, got {_shown(space)}{kind}")
    low = np.broadcast_to(getattr(space, "low", -np.inf), shape)
    high = np.broadcast_to(getattr(space, "high", np.inf), shape)
    bounded = np.isfinite(low) & np.isfinite(high)
    if (~bounded & (np.isfinite(low) | np.isfinite(high))).any():
        raise ValueError(f"{must} bounded on both sides, or on none to be taken as [-1, 1], got {_shown(space)}")
    low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    box = spaces.Box(low, high, tuple(shape), low.dtype.type)
    return box, [] if bounded.all() else [f"{title(env)}: {UNBOUNDED}"]


def one_number(env: Any, reward: Any) -> float:
    """A reward as a number, whatever its shape.

    Raises:
        ValueError: it is several, or none.
    """
    try:
        return float(np.asarray(reward, dtype=np.float64).item())
    except (TypeError, ValueError):
        raise ValueError(f"{title(env)}: a reward must be one number, got {_shown(reward)}") from None


def five(outcome: tuple[Any, ...]) -> tuple[Any, Any, bool, bool, Mapping[str, Any]]:
    """Old gym's (obs, reward, done, info) as gymnasium's five."""
    if len(outcome) == 5:
        return outcome
    observation, reward, done, info = outcome
    truncated = bool(info.get("TimeLimit.truncated", False))
    return observation, reward, bool(done) and not truncated, truncated, info


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _shown(value: Any) -> str:
    return shortened(" ".join(str(value).split()), MAX_SHOWN)
