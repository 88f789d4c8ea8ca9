"""How an id becomes an environment: a native family, one that others brought, or Meta-World's."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

import gymnasium

from envs.base import MetaEnv
from envs.catalogue import FAMILIES
from envs.contract import constructor_parameters
from envs.family import TaskFamily
from envs.types import EnvClass

AnyClass = TypeVar("AnyClass", bound=EnvClass)

_registered: dict[str, EnvClass] = {}
"""Environments that others brought, by id."""

METAWORLD_PREFIX = "metaworld-ml1-"


@overload
def register_env(env_name: str) -> Callable[[AnyClass], AnyClass]: ...
@overload
def register_env(env_name: str, env_class: AnyClass) -> AnyClass: ...
def register_env(env_name: str, env_class: Any = None) -> Any:
    """Make an environment known as `env_name`: a decorator, or a call with the class.

    The class is a `TaskFamily`, or one environment, of which copies are run: a `gymnasium.Env`, or a class of the
    contract that the reference's environments keep (`reset()` gives the observation, `step(action)` gives
    observation, reward, done and info). It has `action_space` and `observation_space` (boxes), `reset_task(index)`,
    and `tasks` or `get_all_task_idx()`, itself or in what it wraps. `info["sparse_reward"]`, if given, is used.

    Raises:
        ValueError: the id is taken by another class, or the class lacks a method.
    """
    if env_class is None:
        return partial(register_env, env_name)
    _require_contract(env_class)
    taken = FAMILIES.get(env_name, _registered.get(env_name))
    if taken is not None and _origin(taken) != _origin(env_class):
        raise ValueError(f"the environment id '{env_name}' is taken by {_origin(taken)}")
    _registered[env_name] = env_class
    return env_class


def make_env(env_name: str, num_envs: int, **params: Any) -> MetaEnv:
    """Build `num_envs` lanes of a native family, of a registered environment, or of "module:Class".

    Raises:
        ValueError: unknown id, or parameters that the family refuses.
    """
    env_class = find_class(env_name)
    if not is_native(env_name):
        from envs.copies import CopiesEnv  # here, as the native families do without

        return CopiesEnv(env_class, num_envs, **params)
    known = sorted({some.name for some in constructor_parameters(env_class) if some.kind is some.KEYWORD_ONLY})
    for name in params:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"'{env_name}' has no parameter '{name}'; the nearest is '{nearest}' of {', '.join(known)}"
            )
    return env_class(num_envs, **params)


def is_native(env_name: str) -> bool:
    """Whether all lanes are simulated together, so that many cost little; other environments run as copies.

    Raises:
        ValueError: as `find_class`.
    """
    env_class = find_class(env_name)
    return isinstance(env_class, type) and issubclass(env_class, TaskFamily)


def find_class(env_name: str) -> EnvClass:
    """What is behind an id.

    Raises:
        ValueError: unknown id, or a module or class that is not there.
    """
    if env_name in FAMILIES:
        return FAMILIES[env_name]
    if env_name in _registered:
        return _registered[env_name]
    if ":" in env_name:
        return _imported(*env_name.split(":", 1))
    if env_name.startswith(METAWORLD_PREFIX):
        from envs.metaworld_ml1 import ML1  # an optional dependency

        return partial(ML1, env_name.removeprefix(METAWORLD_PREFIX))
    choices = ", ".join(sorted([*FAMILIES, *_registered]))
    raise ValueError(
        f"unknown environment '{env_name}'; choose one of {choices}, {METAWORLD_PREFIX}NAME, or 'module:Class'"
    )


def _imported(module_name: str, name: str) -> EnvClass:
    """`name` of a module: a class of it, or an id that it registers."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # the module may be a file of the folder one launches from
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot import '{module_name}' (for '{module_name}:{name}'): {kind}{error}") from error
    if name in _registered:
        return _registered[name]
    if not hasattr(module, name):
        raise ValueError(f"module '{module_name}' has no class '{name}'")
    env_class: EnvClass = getattr(module, name)
    if not isinstance(env_class, type):  # a function could do anything: it is not called
        raise ValueError(f"'{module_name}:{name}' is not a class of environments")
    _require_contract(env_class)
    return env_class


def _require_contract(env_class: Any) -> None:
    if not callable(env_class):
        raise ValueError(f"an environment is a class, got {env_class!r}")
    if not isinstance(env_class, type):
        return  # only what it makes can tell what it has
    is_wrapper = issubclass(env_class, gymnasium.Wrapper)  # which may have its tasks within
    needed = ("reset", "step") if is_wrapper else ("reset", "step", "reset_task")
    missing = [name for name in needed if not hasattr(env_class, name)]
    if missing:
        raise ValueError(f"{env_class.__name__} lacks {', '.join(missing)}: see envs.register_env")


def _origin(env_class: Any) -> str:
    return f"{env_class.__module__}.{env_class.__qualname__}"
