"""Every setting with its default and what it is for.

The keys and defaults are the reference's, so that its JSON files run unchanged. `files` beside reads a config,
`rules` checks it.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from rlkit.util.text import is_writable

UserPath: TypeAlias = Annotated[str, AfterValidator(os.path.expanduser)]
MAX_COUNT, MAX_WIDTH = 10**6, 10**5  # beyond these no machine has the memory
Count: TypeAlias = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
AtLeast1: TypeAlias = Annotated[int, Field(ge=1)]
AtLeast0: TypeAlias = Annotated[int, Field(ge=0)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
Weight: TypeAlias = Annotated[float, Field(ge=0)]
SET_ELSEWHERE = {
    "max_path_length": "set algo_params.max_path_length",
    "num_threads": "set util_params.num_threads",
    "num_envs": "the launcher chooses it",
    "autoreset_mode": "the launcher chooses it",
    "tasks": "they are drawn, see env_params.n_tasks and task_seed",
}
"""Parameters of an environment that a config states in another place."""


class Section(BaseModel):
    """A group of settings: unknown keys are refused, and text is never taken for a number."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: object, info: ValidationInfo) -> object:
        wanted = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str) and not is_writable(value):
            raise ValueError("should have no null character and no half of a surrogate pair")
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

    n_tasks: Count = 2  # tasks in the set; the first n_train_tasks train, the last n_eval_tasks test
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
    meta_batch: Count = 16  # tasks in one gradient step, drawn with replacement
    num_iterations: AtLeast1 = 500  # rounds of collecting, training, evaluating
    num_initial_steps: AtLeast1 = 2000  # steps per training task before the first iteration, z ~ prior
    num_tasks_sample: Count = 5  # training tasks that collect in an iteration, drawn with replacement
    num_steps_prior: AtLeast0 = 400  # steps with z ~ prior, into both buffers
    num_steps_posterior: AtLeast0 = 0  # steps with z ~ q(z|c), see below, into both buffers
    num_extra_rl_steps_posterior: AtLeast0 = 400  # the same into the replay buffer only
    num_train_steps_per_itr: AtLeast1 = 2000  # gradient steps in an iteration
    num_itrs_per_eval: AtLeast1 = 1  # iterations from one evaluation to the next; the last one has one too
    num_evals: Count = 2  # independent evaluations of each task
    num_steps_per_eval: AtLeast1 = 600  # steps in one evaluation of a task, whole trajectories
    num_trajs_per_eval: int | None = Field(None, ge=1)  # trajectories in one evaluation; null: num_steps_per_eval
    num_exp_traj_eval: AtLeast1 = 1  # trajectories of an evaluation with z ~ prior before the posterior is used
    update_post_train: AtLeast1 = 1  # collected trajectories between posterior updates; the first so many: z ~ prior
    max_path_length: Count = 200  # steps until an episode is cut (a truncation: it still bootstraps)
    # -- the update
    batch_size: Count = 256  # transitions per task for actor and critics
    critic: Literal["v", "twin_q"] = "v"  # bootstrap from a value net (the paper), or from two target Q functions
    auto_alpha: bool = False  # learn the entropy temperature; needs critic "twin_q"
    target_entropy: float | None = None  # nats, which auto_alpha draws the policy's entropy to; null: -action_dim
    embedding_batch_size: Count = 64  # transitions per task for the context encoder
    embedding_mini_batch_size: Count = 64  # context is split into pieces of this size, one update each
    discount: float = Field(0.99, ge=0, le=1)
    num_step_returns: Count = 1  # rewards that a critic's target sums before it bootstraps
    soft_target_tau: float = Field(0.005, gt=0, le=1)  # share of vf that goes into target_vf per step
    policy_lr: Positive = 3e-4
    qf_lr: Positive = 3e-4
    vf_lr: Positive = 3e-4
    context_lr: Positive = 3e-4  # context encoder
    reward_scale: Positive = 5.0  # weighs reward against entropy
    kl_lambda: Weight = 0.1  # weight of KL(q(z|c) || prior), summed over latent dimensions
    kl_reduction: Literal["sum", "mean"] = "sum"  # of that KL over the tasks of a batch
    policy_mean_reg_weight: Weight = 1e-3  # L2 on the policy's mean before the tanh
    policy_std_reg_weight: Weight = 1e-3  # L2 on the policy's log standard deviation
    # -- belief and context
    sparse_rewards: bool = False  # context and reported returns take info["sparse_reward"]; the critics stay dense
    use_information_bottleneck: bool = True  # probabilistic z; false: z is the mean of the encoder's outputs
    use_next_obs_in_context: bool = False  # a context transition includes the next observation
    encoder: Literal["mlp", "recurrent", "attention"] = "mlp"  # how the context is encoded; "recurrent": in order
    recurrent: bool = False  # the reference's name for encoder "recurrent"
    context_sampling: Literal["transitions", "trajectories"] = "transitions"  # what a context is drawn as
    context_source: Literal["recent", "replay", "rl_batch"] = "recent"  # data since it last collected; all; RL batch
    encoder_loss: Literal["critics", "rewards"] = "critics"  # what trains the encoder: the critics, or a reward model
    # -- memory and output
    replay_buffer_size: AtLeast1 = 1_000_000  # transitions kept per task; memory grows with the data
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

    base_log_dir: UserPath = Field("output", min_length=1)  # results go to base_log_dir/[ENV]/[EXP]
    use_gpu: bool = True  # falls back to the CPU, saying so, where there is no CUDA device
    gpu_id: AtLeast0 = 0
    num_threads: AtLeast0 = 0  # CPU threads of torch and of the physics; 0: all that the job may use
    checkpoint_interval: AtLeast0 = 1  # iterations from one checkpoint to the next; 0: none, no resume
    keep_checkpoints: AtLeast1 = 2  # how many of the newest stay on disk
    on_nan: Literal["stop", "continue"] = "stop"  # when a loss is not finite; stop dumps the batch for debugging
    precision: Literal["float32", "tf32", "bf16"] = "float32"  # of matrix products in training; float32 is exact
    compile: Literal["auto", "on", "off"] = "auto"  # auto: CUDA graphs on a GPU; on: torch.compile too; off: neither
    plots: bool = True  # draw a run's pictures: plots/ at its end, and some for tensorboard at each evaluation
    video_interval: AtLeast0 = 0  # iterations from one film of a test task to the next; 0: no films
    debug: bool = False  # a tiny run into [ENV]/debug
    docker: bool = False  # results go below /mounts/output, the reference's volume


class Config(Section):
    """A whole experiment."""

    env_name: str = Field(min_length=1)
    n_train_tasks: AtLeast1 = 2
    n_eval_tasks: AtLeast1 = 2
    latent_size: Width = 5  # dimensions of z
    net_size: Width = 300  # units per hidden layer of policy, critics and value
    encoder_size: Width = 200  # units per hidden layer of the context encoder
    path_to_weights: UserPath | None = None  # folder of *.pth files to start from, this project's or the reference's
    seed: int | None = Field(None, ge=0, lt=2**32)  # null: drawn, and written to variant.json
    env_params: EnvParams = EnvParams()
    algo_params: AlgoParams = AlgoParams()
    util_params: UtilParams = UtilParams()

    @property
    def train_tasks(self) -> range:
        """Indices of the tasks that train: the first ones."""
        return range(self.n_train_tasks)

    @property
    def test_tasks(self) -> range:
        """Indices of the tasks that test: the last ones."""
        return range(self.env_params.n_tasks - self.n_eval_tasks, self.env_params.n_tasks)
