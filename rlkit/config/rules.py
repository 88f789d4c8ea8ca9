"""What a config must keep to: known keys, right types, possible values and combinations; each fault in one line."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
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
    for key, rule, got in _broken_rules(config):
        raise UserError(f"{place}: {key}: {rule}, got {got}")
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


def _broken_rules(config: Config) -> Iterator[tuple[str, str, object]]:
    """Combinations that cannot work: the key, the rule that it breaks, and what it is."""
    n_tasks, algo = config.env_params.n_tasks, config.algo_params
    for key in ("n_train_tasks", "n_eval_tasks"):
        if getattr(config, key) > n_tasks:
            yield key, f"must not exceed env_params.n_tasks = {n_tasks}", getattr(config, key)
    paths, origin = algo.num_trajs_per_eval, "num_trajs_per_eval"
    if paths is None:
        paths = math.ceil(algo.num_steps_per_eval / algo.max_path_length)
        origin = "num_steps_per_eval / max_path_length"
    if algo.num_exp_traj_eval >= paths:
        rule = f"must be below the {paths} trajectories of an evaluation ({origin}), or it never uses the posterior"
        yield "algo_params.num_exp_traj_eval", rule, algo.num_exp_traj_eval
    if algo.embedding_batch_size % algo.embedding_mini_batch_size:
        rule = f"must be a multiple of embedding_mini_batch_size = {algo.embedding_mini_batch_size}"
        yield "algo_params.embedding_batch_size", rule, algo.embedding_batch_size
    if algo.num_steps_prior + algo.num_steps_posterior == 0 and algo.context_source == "recent":
        rule = "must be above 0 where num_steps_posterior is 0: a task's context is cleared before it collects"
        yield "algo_params.num_steps_prior", rule, 0
    if algo.auto_alpha and algo.critic != "twin_q":
        yield "algo_params.auto_alpha", 'true needs critic "twin_q"', f'true with critic "{algo.critic}"'
    if algo.target_entropy is not None and not algo.auto_alpha:
        yield "algo_params.target_entropy", "must be null unless auto_alpha is true", algo.target_entropy
    if algo.num_step_returns > 1 and algo.context_source != "recent":
        rule = 'must be 1 unless context_source is "recent": the encoder would read the sums as rewards'
        yield "algo_params.num_step_returns", rule, algo.num_step_returns
    yield from _broken_encoder_rules(config)


def _broken_encoder_rules(config: Config) -> Iterator[tuple[str, str, object]]:
    algo = config.algo_params
    if algo.recurrent and algo.encoder != "recurrent":
        yield "algo_params.recurrent", 'true means encoder "recurrent"', f'true with encoder "{algo.encoder}"'
    if algo.encoder == "attention" and config.encoder_size % ATTENTION_HEADS:
        rule = f"must be a multiple of {ATTENTION_HEADS} for the attention encoder's {ATTENTION_HEADS} heads"
        yield "encoder_size", rule, config.encoder_size
    if algo.context_source != "rl_batch":
        return
    source, size = 'where context_source is "rl_batch"', algo.embedding_batch_size
    if algo.context_sampling == "trajectories":
        rule = f'must be "transitions" {source}: the RL batch is drawn so'
        yield "algo_params.context_sampling", rule, '"trajectories"'
    if size > algo.batch_size:
        yield "algo_params.embedding_batch_size", f"must not exceed batch_size = {algo.batch_size} {source}", size
    if algo.embedding_mini_batch_size != size:
        rule = f"must equal embedding_batch_size = {size} {source}"
        yield "algo_params.embedding_mini_batch_size", rule, algo.embedding_mini_batch_size
