"""What a config must keep to: known keys, right types, possible values and combinations; each fault in one line."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from rlkit.config.settings import Config, Section
from rlkit.util.errors import UserError

ATTENTION_HEADS = 4  # of the attention encoder: its width must be a multiple


def make_config(tree: Mapping[str, Any], place: str) -> Config:
    """Check a nested dict of settings; `place` names its origin in messages.

    Raises:
        UserError: unknown key, wrong type, impossible value or combination.
    """
    try:
        config = Config.model_validate(dict(tree))
    except ValidationError as error:
        raise UserError(f"{place}: {describe_fault(error, known_keys())}") from None
    for rule in _broken_rules(config):
        raise UserError(f"{place}: {rule}")
    return config


def describe_fault(error: ValidationError, known: Sequence[str]) -> str:
    """The first fault of what a user wrote as one line: key, value and rule; `known` are the keys it may have."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest_key(key, known)}"
    if fault["type"] == "missing":
        return f"the key '{key}' is missing"
    rule = fault["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{key}: {rule}, got {shown(fault['input'])}"


def shown(value: object) -> str:
    """A value as JSON, shortened, for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys() -> list[str]:
    """Every dotted key that a config may hold."""
    keys = []
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys += [f"{name}.{inner}" for inner in section.model_fields]
        else:
            keys.append(name)
    return keys


def nearest_key(key: str, known: Sequence[str]) -> str:
    """Tell the known key most like `key`, wherever it belongs."""
    by_name = {one.rsplit(".", 1)[-1]: one for one in known}
    close = difflib.get_close_matches(key.rsplit(".", 1)[-1], by_name, n=1, cutoff=0.0)[0]
    return f"the nearest known key is '{by_name[close]}'"


def _broken_rules(config: Config) -> Iterable[str]:
    """Combinations that cannot work, each as 'key: rule, got value'."""
    n_tasks, algo = config.env_params.n_tasks, config.algo_params
    for key in ("n_train_tasks", "n_eval_tasks"):
        if getattr(config, key) > n_tasks:
            yield f"{key}: must not exceed env_params.n_tasks = {n_tasks}, got {getattr(config, key)}"
    paths, origin = algo.num_trajs_per_eval, "num_trajs_per_eval"
    if paths is None:
        paths, origin = (
            math.ceil(algo.num_steps_per_eval / algo.max_path_length),
            "num_steps_per_eval / max_path_length",
        )
    if algo.num_exp_traj_eval >= paths:
        yield (
            f"algo_params.num_exp_traj_eval: must be below the {paths} trajectories of an evaluation"
            f" ({origin}), or it never uses the posterior, got {algo.num_exp_traj_eval}"
        )
    if algo.embedding_batch_size % algo.embedding_mini_batch_size:
        yield (
            f"algo_params.embedding_batch_size: must be a multiple of embedding_mini_batch_size ="
            f" {algo.embedding_mini_batch_size}, got {algo.embedding_batch_size}"
        )
    if algo.num_steps_prior + algo.num_steps_posterior == 0 and algo.context_source == "recent":
        yield (
            "algo_params.num_steps_prior: must be above 0 where num_steps_posterior is 0:"
            " a task's context is cleared before it collects, got 0"
        )
    if algo.auto_alpha and algo.critic != "twin_q":
        yield f'algo_params.auto_alpha: true needs critic "twin_q", got true with critic "{algo.critic}"'
    if algo.num_step_returns > 1 and algo.context_source != "recent":
        yield (
            'algo_params.num_step_returns: must be 1 unless context_source is "recent": the encoder would read the'
            f" sums as rewards, got {algo.num_step_returns}"
        )
    yield from _broken_encoder_rules(config)


def _broken_encoder_rules(config: Config) -> Iterable[str]:
    algo = config.algo_params
    if algo.recurrent and algo.encoder != "recurrent":
        yield f'algo_params.recurrent: true means encoder "recurrent", got true with encoder "{algo.encoder}"'
    if algo.encoder == "attention" and config.encoder_size % ATTENTION_HEADS:
        yield (
            f"encoder_size: must be a multiple of {ATTENTION_HEADS} for the attention encoder's"
            f" {ATTENTION_HEADS} heads, got {config.encoder_size}"
        )
    if algo.context_source != "rl_batch":
        return
    if algo.context_sampling == "trajectories":
        yield (
            'algo_params.context_sampling: must be "transitions" where context_source is "rl_batch":'
            ' the RL batch is drawn so, got "trajectories"'
        )
    if algo.embedding_batch_size > algo.batch_size:
        yield (
            f"algo_params.embedding_batch_size: must not exceed batch_size = {algo.batch_size} where context_source"
            f' is "rl_batch", got {algo.embedding_batch_size}'
        )
    if algo.embedding_mini_batch_size != algo.embedding_batch_size:
        yield (
            f"algo_params.embedding_mini_batch_size: must equal embedding_batch_size = {algo.embedding_batch_size}"
            f' where context_source is "rl_batch", got {algo.embedding_mini_batch_size}'
        )
