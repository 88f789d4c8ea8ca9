"""Every setting with its default, and how a config is read: JSON -> base -> overrides -> checked `Config`.

The keys and defaults are the reference's, so that its JSON files run unchanged.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from rlkit.core.errors import UserError

MAX_COUNT, MAX_WIDTH = 10**6, 10**5  # beyond these no machine has the memory
SET_ELSEWHERE = {
    "max_path_length": "set algo_params.max_path_length",
    "num_threads": "set util_params.num_threads",
    "num_envs": "the launcher chooses it",
    "autoreset_mode": "the launcher chooses it",
    "tasks": "they are drawn, see env_params.n_tasks and task_seed",
}
"""Parameters of an environment that a config states in another place."""


ATTENTION_HEADS = 4  # of the attention encoder


class Section(BaseModel):
    """A group of settings: unknown keys are refused, and text is never taken for a number."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: object, info: ValidationInfo) -> object:
        wanted = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str) and wanted in (int, float, bool, int | None):
            raise ValueError(f"should be a {'switch' if wanted is bool else 'number'}, not text")
        if isinstance(value, bool) and wanted in (int, float, int | None):
            raise ValueError("should be a number, not true or false")
        return value


class EnvParams(Section):
    """What the task family is built with; a family's own parameters (ant-dir's forward_backward) go here too.

    The family checks those: this package knows no environments.
    """

    model_config = ConfigDict(extra="allow")

    n_tasks: int = Field(
        2, ge=1, le=MAX_COUNT
    )  # tasks in the set; the first n_train_tasks train, the last n_eval_tasks test
    randomize_tasks: bool = True  # draw tasks at random; false: the family's evenly spaced set, in order
    task_seed: int = Field(1337, ge=0, lt=2**32)  # the task set depends on this and n_tasks alone

    @model_validator(mode="after")
    def _nothing_that_is_set_elsewhere(self) -> EnvParams:
        for name in self.model_extra or ():
            if name in SET_ELSEWHERE:
                raise ValueError(f"'{name}' does not belong here: {SET_ELSEWHERE[name]}")
        return self


class AlgoParams(Section):
    """The meta-training loop and the update. "Steps" of data are environment transitions."""

    # -- how much is collected, trained and evaluated
    meta_batch: int = Field(16, ge=1, le=MAX_COUNT)  # tasks in one gradient step, drawn with replacement
    num_iterations: int = Field(500, ge=1)  # rounds of collecting, training, evaluating
    num_initial_steps: int = Field(2000, ge=1)  # steps per training task before the first iteration, z ~ prior
    num_tasks_sample: int = Field(
        5, ge=1, le=MAX_COUNT
    )  # training tasks that collect in an iteration, drawn with replacement
    num_steps_prior: int = Field(400, ge=0)  # steps with z ~ prior, into both buffers
    num_steps_posterior: int = Field(0, ge=0)  # steps with z ~ q(z|c), into both buffers
    num_extra_rl_steps_posterior: int = Field(400, ge=0)  # steps with z ~ q(z|c), into the replay buffer only
    num_train_steps_per_itr: int = Field(2000, ge=1)  # gradient steps in an iteration
    num_itrs_per_eval: int = Field(1, ge=1)  # iterations from one evaluation to the next; the last one has one too
    num_evals: int = Field(2, ge=1, le=MAX_COUNT)  # independent evaluations of each task
    num_steps_per_eval: int = Field(600, ge=1)  # steps in one evaluation of a task, whole trajectories
    num_trajs_per_eval: int | None = Field(None, ge=1)  # trajectories in one evaluation; null: num_steps_per_eval
    num_exp_traj_eval: int = Field(
        1, ge=1
    )  # trajectories of an evaluation with z ~ prior before the posterior is used
    update_post_train: int = Field(1, ge=1)  # trajectories between posterior updates while collecting
    max_path_length: int = Field(
        200, ge=1, le=MAX_COUNT
    )  # steps until an episode is cut (a truncation: it still bootstraps)
    # -- the update
    batch_size: int = Field(256, ge=1, le=MAX_COUNT)  # transitions per task for actor and critics
    critic: Literal["v", "twin_q"] = "v"  # bootstrap from a value net (the paper), or from two target Q functions
    auto_alpha: bool = False  # learn the entropy temperature (target entropy: -action_dim); needs critic "twin_q"
    embedding_batch_size: int = Field(64, ge=1, le=MAX_COUNT)  # transitions per task for the context encoder
    embedding_mini_batch_size: int = Field(
        64, ge=1, le=MAX_COUNT
    )  # context is split into pieces of this size, one update each
    discount: float = Field(0.99, ge=0, le=1)
    soft_target_tau: float = Field(0.005, gt=0, le=1)  # share of vf that goes into target_vf per step
    policy_lr: float = Field(3e-4, gt=0)
    qf_lr: float = Field(3e-4, gt=0)
    vf_lr: float = Field(3e-4, gt=0)
    context_lr: float = Field(3e-4, gt=0)  # context encoder
    reward_scale: float = Field(5.0, gt=0)  # weighs reward against entropy
    kl_lambda: float = Field(0.1, ge=0)  # weight of KL(q(z|c) || prior), summed over latent dimensions
    kl_reduction: Literal["sum", "mean"] = "sum"  # of that KL over the tasks of a batch
    policy_mean_reg_weight: float = Field(1e-3, ge=0)  # L2 on the policy's mean before the tanh
    policy_std_reg_weight: float = Field(1e-3, ge=0)  # L2 on the policy's log standard deviation
    # -- belief and context
    sparse_rewards: bool = False  # context and reported returns take info["sparse_reward"]; the critics stay dense
    use_information_bottleneck: bool = True  # probabilistic z; false: z is the mean of the encoder's outputs
    use_next_obs_in_context: bool = False  # a context transition includes the next observation
    encoder: Literal["mlp", "recurrent", "attention"] = "mlp"  # how the context is encoded; "recurrent": in order
    recurrent: bool = False  # the reference's name for encoder "recurrent"
    context_sampling: Literal["transitions", "trajectories"] = "transitions"  # what a context is drawn as
    context_source: Literal["recent", "replay", "rl_batch"] = "recent"  # the encoder buffer; all data; the RL batch
    # -- memory and output
    replay_buffer_size: int = Field(1_000_000, ge=1)  # transitions kept per task; memory grows with the data
    dump_eval_paths: bool = False  # save the evaluation's trajectories of each iteration (npz)

    @property
    def num_full_paths_per_eval(self) -> int:
        """Trajectories of an evaluation whose episodes all run to the time limit."""
        if self.num_trajs_per_eval is not None:
            return self.num_trajs_per_eval
        return self.num_steps_per_eval // self.max_path_length

    @model_validator(mode="before")
    @classmethod
    def _name_the_recurrent_encoder(cls, settings: Any) -> Any:
        if isinstance(settings, dict) and settings.get("recurrent") == 1 and "encoder" not in settings:
            return {**settings, "encoder": "recurrent"}
        return settings


class UtilParams(Section):
    """Where and on what it runs."""

    base_log_dir: str = Field("output", min_length=1)  # results go to base_log_dir/[ENV]/[EXP]
    use_gpu: bool = True  # falls back to the CPU, saying so, where there is no CUDA device
    gpu_id: int = Field(0, ge=0)
    num_threads: int = Field(0, ge=0)  # CPU threads of torch and of the physics; 0: all
    checkpoint_interval: int = Field(1, ge=0)  # iterations from one checkpoint to the next; 0: none, no resume
    keep_checkpoints: int = Field(2, ge=1)  # how many of the newest stay on disk
    on_nan: Literal["stop", "continue"] = "stop"  # when a loss is not finite; stop dumps the batch for debugging
    precision: Literal["float32", "tf32", "bf16"] = "float32"  # of matrix products in training; float32 is exact
    compile: Literal["auto", "on", "off"] = "auto"  # auto: CUDA graphs on a GPU; on: torch.compile too; off: neither
    plots: bool = True  # draw a run's pictures: plots/ at its end, and some for tensorboard at each evaluation
    debug: bool = False  # a tiny run into [ENV]/debug
    docker: bool = False  # results go below /mounts/output, the reference's volume


class Config(Section):
    """A whole experiment."""

    env_name: str = Field(min_length=1)
    n_train_tasks: int = Field(2, ge=1)
    n_eval_tasks: int = Field(2, ge=1)
    latent_size: int = Field(5, ge=1, le=MAX_WIDTH)  # dimensions of z
    net_size: int = Field(300, ge=1, le=MAX_WIDTH)  # units per hidden layer of policy, critics and value
    encoder_size: int = Field(200, ge=1, le=MAX_WIDTH)  # units per hidden layer of the context encoder
    path_to_weights: str | None = None  # folder of *.pth files to start from, this project's or the reference's
    seed: int | None = Field(None, ge=0, lt=2**32)  # null: drawn, and written to variant.json
    env_params: EnvParams = EnvParams()
    algo_params: AlgoParams = AlgoParams()
    util_params: UtilParams = UtilParams()


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
)
"""Settings that a resumed run may have otherwise: how long, on what, what is written. The rest makes the numbers."""

DEBUG_SETTINGS: dict[str, int] = {
    "algo_params.num_iterations": 2,
    "algo_params.num_tasks_sample": 2,
    "algo_params.num_train_steps_per_itr": 10,
    "algo_params.meta_batch": 4,
    "algo_params.batch_size": 32,
    "algo_params.num_evals": 1,
    "n_train_tasks": 4,
    "n_eval_tasks": 2,
}
"""What `--debug` caps, so that a run takes seconds."""
DEBUG_PATHS = 2  # trajectories where a config asks for data, in a debug run


def load_config(path: str | Path, overrides: Iterable[str] = (), settings: Mapping[str, Any] | None = None) -> Config:
    """Read an experiment's JSON.

    Args:
        path: the file; its `base`, if named, is read first, relative to it.
        overrides: `dotted.key=value` texts, the value as JSON or else plain text.
        settings: values by dotted key, applied last.

    Raises:
        UserError: unreadable file, unknown key, wrong type, impossible value or combination.
    """
    tree = _read_tree(Path(path), ())
    for text in overrides:
        key, value = _parse_override(text)
        _assign(tree, key, value, "--set")
    for key, value in (settings or {}).items():
        _assign(tree, key, value, "setting")
    return make_config(tree, str(path))


def make_config(tree: Mapping[str, Any], place: str) -> Config:
    """Check a nested dict of settings; `place` names its origin in messages.

    Raises:
        UserError: unknown key, wrong type, impossible value or combination.
    """
    try:
        config = Config.model_validate(dict(tree))
    except ValidationError as error:
        raise UserError(f"{place}: {_describe(error)}") from None
    for rule in _broken_rules(config):
        raise UserError(f"{place}: {rule}")
    return config


def resumed_config(saved: Config, overrides: Iterable[str], settings: Mapping[str, Any], place: str) -> Config:
    """The config to go on with: the saved one, with changes to MAY_CHANGE_ON_RESUME alone.

    Raises:
        UserError: another setting is changed, or a change is wrong in itself.
    """
    tree = saved.model_dump()
    for text in overrides:
        _assign(tree, *_parse_override(text), "--set")
    for key, value in settings.items():
        _assign(tree, key, value, "setting")
    config = make_config(tree, place)
    before, after = flat(saved.model_dump()), flat(config.model_dump())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key not in MAY_CHANGE_ON_RESUME:
            raise UserError(
                f"--resume: {key} cannot change from {_shown(before.get(key))} to {_shown(after.get(key))};"
                f" what may change in a run that goes on: {', '.join(MAY_CHANGE_ON_RESUME)}"
            )
    return config


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted key."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        values |= inner
    return values


def debug_version(config: Config) -> Config:
    """The same experiment in a few seconds, written to the folder `debug`."""
    tree = config.model_dump()
    for key, cap in DEBUG_SETTINGS.items():
        *sections, name = key.split(".")
        section = tree
        for part in sections:
            section = section[part]
        section[name] = min(section[name], cap)
    algo, few_steps = tree["algo_params"], DEBUG_PATHS * config.algo_params.max_path_length
    for name in ("num_initial_steps", "num_steps_prior", "num_steps_posterior", "num_extra_rl_steps_posterior"):
        algo[name] = min(algo[name], few_steps)
    algo["num_steps_per_eval"] = min(
        algo["num_steps_per_eval"], (DEBUG_PATHS + 1) * config.algo_params.max_path_length
    )
    if algo["num_trajs_per_eval"] is not None:
        algo["num_trajs_per_eval"] = min(algo["num_trajs_per_eval"], DEBUG_PATHS + 1)
    algo["num_exp_traj_eval"] = min(algo["num_exp_traj_eval"], DEBUG_PATHS)
    if algo["context_source"] == "rl_batch":
        context = min(algo["embedding_batch_size"], algo["batch_size"])
        algo["embedding_batch_size"] = algo["embedding_mini_batch_size"] = context
    tree["util_params"]["debug"] = True
    return make_config(tree, "debug run")


def _read_tree(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in chain:
        raise UserError(f"{path}: the 'base' entries form a circle")
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"cannot read config {path}: not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"cannot read config {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # a wrong path is a ValueError too, as is a number of many digits
        raise UserError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: a config is a JSON object of settings, not a {type(tree).__name__}")
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise UserError(f"{path}: base: should be the path of another config, got {json.dumps(base)}")
    return _merge(_read_tree(path.parent / base, (*chain, path.resolve())), tree)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


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


def _describe(error: ValidationError) -> str:
    """The first fault of a config as one line: key, value and rule."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {_nearest(key)}"
    if fault["type"] == "missing":
        return f"the key '{key}' is missing"
    rule = fault["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{key}: {rule}, got {_shown(fault['input'])}"


def _shown(value: object) -> str:
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


def _nearest(key: str) -> str:
    """Tell the known key most like `key`, wherever it belongs."""
    by_name = {known.rsplit(".", 1)[-1]: known for known in known_keys()}
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
    yield from _broken_encoder_rules(config)


def _broken_encoder_rules(config: Config) -> Iterable[str]:
    """The rules of how context is drawn and encoded."""
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
