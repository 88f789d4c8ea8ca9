"""How a config is read and changed: JSON -> base -> overrides -> checked `Config`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlkit.config.rules import make_config, shown
from rlkit.config.settings import Config
from rlkit.util.errors import UserError
from rlkit.util.files import user_path
from rlkit.util.text import is_writable

MAY_CHANGE_ON_RESUME = (
    "algo_params.num_iterations",
    "algo_params.dump_eval_paths",
    "util_params.use_gpu",
    "util_params.gpu_id",
    "util_params.num_threads",
    "util_params.compile",
    "util_params.checkpoint_interval",
    "util_params.keep_checkpoints",
    "util_params.on_nan",
    "util_params.plots",
    "util_params.video_interval",
)
"""Settings that a resumed run may have otherwise: how long, on what, what is written. The rest makes the numbers."""

DEBUG_SETTINGS: dict[str, int] = {
    "algo_params.num_iterations": 2,
    "algo_params.num_tasks_sample": 2,
    "algo_params.num_train_steps_per_itr": 10,
    "algo_params.meta_batch": 4,
    "algo_params.batch_size": 32,
    "algo_params.num_evals": 1,
    "algo_params.num_trajs_per_eval": 3,
    "algo_params.num_exp_traj_eval": 2,
    "n_train_tasks": 4,
    "n_eval_tasks": 2,
}
"""What `--debug` caps, so that a run takes seconds."""
DEBUG_PATHS: dict[str, int] = {
    "algo_params.num_initial_steps": 2,
    "algo_params.num_steps_prior": 2,
    "algo_params.num_steps_posterior": 2,
    "algo_params.num_extra_rl_steps_posterior": 2,
    "algo_params.num_steps_per_eval": 3,
}
"""The same of what is counted in steps: how many paths' worth."""


def load_config(path: str | Path, overrides: Iterable[str] = (), settings: Mapping[str, Any] | None = None) -> Config:
    """Read an experiment's JSON.

    Args:
        path: the file; its `base`, if named, is read first, relative to it.
        overrides: `dotted.key=value` texts, the value as JSON or else plain text.
        settings: values by dotted key, applied last.

    Raises:
        UserError: unreadable file, unknown key, wrong type, impossible value or combination.
    """
    tree = _read_tree(user_path(path), ())
    _change(tree, settings or {}, overrides)
    return make_config(tree, str(path))


def changed_config(
    config: Config, settings: Mapping[str, Any], overrides: Iterable[str] = (), place: str = ""
) -> Config:
    """The same but for `overrides` and then `settings`, as in `load_config`; `place` names its origin in messages.

    Raises:
        UserError: the changed config is wrong.
    """
    tree = config.model_dump()
    _change(tree, settings, overrides)
    return make_config(tree, place or f"with {', '.join(settings)}")


def checked_resume(saved: Config, config: Config) -> Config:
    """`config`, with which a run is to go on that began with `saved`.

    Raises:
        UserError: a setting differs that makes the numbers.
    """
    for key, before, after in differences(saved.model_dump(), config.model_dump()):
        if key not in MAY_CHANGE_ON_RESUME:
            raise UserError(
                f"--resume: {key} cannot change from {shown(before)} to {shown(after)};"
                f" what may change in a run that goes on: {', '.join(MAY_CHANGE_ON_RESUME)}"
            )
    return config


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Dotted keys, sorted, whose values differ in two trees of settings, with both; None where a key is missing."""
    before, after = flat(one), flat(other)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)


def with_seed(config: Config) -> Config:
    """The config, with a seed of its own where it has none."""
    return config if config.seed is not None else config.model_copy(update={"seed": secrets.randbelow(2**32)})


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted key."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        values |= inner
    return values


def debug_version(config: Config, stated: Iterable[str] = ()) -> Config:
    """The same experiment in a few seconds, written to the folder `debug`.

    Args:
        config: what to shrink.
        stated: `dotted.key=value` texts of the command line, which are in `config` and stay as they are.
    """
    tree, asked = config.model_dump(), flat(config.model_dump())
    caps = DEBUG_SETTINGS | {
        key: num_paths * config.algo_params.max_path_length for key, num_paths in DEBUG_PATHS.items()
    }
    _change(tree, {key: min(asked[key], cap) for key, cap in caps.items() if asked[key] is not None})
    algo = tree["algo_params"]
    if algo["context_source"] == "rl_batch":
        context = min(algo["embedding_batch_size"], algo["batch_size"])
        algo["embedding_batch_size"] = algo["embedding_mini_batch_size"] = context
    for key, value in map(_parse_override, stated):
        _change(tree, flat({key: value}))
    tree["util_params"]["debug"] = True
    return make_config(tree, "debug run")


def _read_tree(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in chain:
        raise UserError(f"{path}: the 'base' entries form a circle")
    tree = load_json(path, "config")
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a config is a JSON object of settings, not a {type(tree).__name__}")
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not is_writable(base):
        raise UserError(f"{path}: base: should be the path of another config, got {json.dumps(base)}")
    return _merge(_read_tree(path.parent / user_path(base), (*chain, path.resolve())), tree)


def load_json(path: Path, kind: str) -> Any:
    """The content of a file that a user wrote; `kind` says in messages what it is meant to be.

    Raises:
        UserError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"cannot read {kind} {path}: not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"cannot read {kind} {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # a wrong path is a ValueError too, as is a number of many digits
        raise UserError(f"{path}: not valid JSON: {error}") from None


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merge(below[key], above[key])
    return merged


def _change(tree: dict[str, Any], settings: Mapping[str, Any], overrides: Iterable[str] = ()) -> None:
    """Put `dotted.key=value` texts, then values by dotted key, into `tree`."""
    for text in overrides:
        _assign(tree, *_parse_override(text), "--set")
    for key, value in settings.items():
        _assign(tree, key, value, "setting")


def _parse_override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UserError(f"--set {text}: should be dotted.key=value, as in algo_params.meta_batch=8")
    try:
        return key.strip(), json.loads(value)
    except (ValueError, RecursionError):
        return key.strip(), value


def _assign(tree: dict[str, Any], key: str, value: Any, place: str) -> None:
    *sections, name = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise UserError(f"{place} {key}: {section} is not a group of settings")
    tree[name] = value
