"""The wiring of the whole program: from a config to environments, networks, buffers and the loop.

The environments are imported where they are built: a trained agent alone needs none.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from rlkit.config.files import with_seed
from rlkit.config.settings import Config
from rlkit.core.collector import Collector
from rlkit.core.evaluation import Evaluator
from rlkit.core.rl_algorithm import Display, MetaRLAlgorithm, TaskSplit
from rlkit.data_management.context import ContextSampler
from rlkit.data_management.experience import Experience
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.data_management.returns import NStepReturns
from rlkit.samplers.path_sampler import PathSampler
from rlkit.torch.attention_encoder import AttentionEncoder
from rlkit.torch.encoders import MLPEncoder
from rlkit.torch.networks import MLP
from rlkit.torch.recurrent_encoder import RecurrentEncoder
from rlkit.torch.sac.agent import PEARLAgent
from rlkit.torch.sac.pearl import TARGET, PEARLTrainer
from rlkit.torch.sac.policies import TanhGaussianPolicy
from rlkit.torch.sac.training_phase import TrainingPhase
from rlkit.torch.sac.twin_q import TwinQTrainer
from rlkit.torch.sac.weights import load_weights
from rlkit.util.errors import UserError
from rlkit.util.records import Dims
from rlkit.util.seeding import Stream, stream_seed
from rlkit.util.signals import StopSignal

if TYPE_CHECKING:
    from envs import MetaEnv, Task

MAX_LANES = 128  # episodes that run side by side; more fit, but gain nothing and cost memory
MAX_COPIES = 16  # the same for environments that are not simulated together, of which each lane is a copy
ENCODERS: dict[str, type[MLPEncoder] | type[RecurrentEncoder]] = {
    "mlp": MLPEncoder,
    "recurrent": RecurrentEncoder,
    "attention": AttentionEncoder,
}


class Parts(NamedTuple):
    """What a run is made of, as far as it is saved and restored."""

    algorithm: MetaRLAlgorithm
    trainer: PEARLTrainer
    training: TrainingPhase
    experience: Experience
    tasks: list[Task]
    envs: tuple[MetaEnv, MetaEnv]

    @property
    def rewarded_radius(self) -> float | None:
        """Around a goal, where the sparse reward is not zero; None where the family has no such disc."""
        radius = getattr(self.envs[0], "rewarded_radius", None)
        return float(radius) if isinstance(radius, int | float) else None

    def close(self) -> None:
        """Close the environments, whose copies may be processes."""
        for env in self.envs:
            env.close()


def build(
    config: Config,
    *,
    device: torch.device | None = None,
    display: Display | None = None,
    stop: StopSignal | None = None,
) -> Parts:
    """Put the parts of a run together: on the CPU, with a seed that is drawn, where neither is given.

    Raises:
        UserError: environment or weights are not as the config says.
    """
    config = with_seed(config)
    assert config.seed is not None
    device, display, stop = device or torch.device("cpu"), display or Display(), stop or StopSignal()
    algo, n_tasks = config.algo_params, config.env_params.n_tasks
    env, eval_env = make_envs(config), make_envs(config)
    for note in env.notes:
        display.say(note)
    tasks = TaskSplit(np.array(config.train_tasks), np.array(config.test_tasks))
    init = torch.Generator().manual_seed(stream_seed(config.seed, Stream.NETWORKS))
    trainer = build_pearl(config, Dims(env.observation_dim, env.action_dim), device, init)
    collect_rng, train_rng, eval_rng = (torch.Generator(device) for _ in range(3))
    replay, recent = (
        MultiTaskReplayBuffer(
            n_tasks,
            env.observation_dim,
            env.action_dim,
            capacity=algo.replay_buffer_size,
            page_size=algo.max_path_length,
            has_sparse_reward=env.has_sparse_reward,
            device=device,
        )
        for _ in range(2)
    )
    agent = trainer.agent
    if config.util_params.compile == "on":
        trainer.compile()
    contexts = ContextSampler(recent if algo.context_source == "recent" else replay, algo)
    training = TrainingPhase(
        trainer,
        replay,
        contexts,
        tasks.train,
        algo,
        train_rng,
        precision=config.util_params.precision,
        use_graph=config.util_params.compile != "off",
        stop_on_nan=config.util_params.on_nan == "stop",
    )
    num_steps = algo.num_step_returns
    returns = None if num_steps == 1 else NStepReturns(num_steps, algo.discount, replay.columns)
    experience = Experience(replay, recent, returns)
    algorithm = MetaRLAlgorithm(
        algo,
        config.seed,
        tasks,
        collector=Collector(PathSampler(env, agent.actor), agent, collect_rng),
        experience=experience,
        contexts=contexts,
        training=training,
        evaluator=Evaluator(PathSampler(eval_env, agent.actor, record_terms=True), agent, eval_rng, algo),
        display=display,
        stop=stop,
    )
    return Parts(algorithm, trainer, training, experience, env.tasks, (env, eval_env))


def build_pearl(config: Config, dims: Dims, device: torch.device, generator: torch.Generator) -> PEARLTrainer:
    """Networks with fresh weights from `generator` (a CPU one), or from `path_to_weights`, on `device`.

    Raises:
        UserError: `path_to_weights` lacks a file, or its shapes are others.
    """
    agent = build_agent(config, dims, generator).to(device)
    twin_q = config.algo_params.critic == "twin_q"
    inputs = {"qf1": dims.obs + dims.action, "qf2": dims.obs + dims.action} | ({} if twin_q else {"vf": dims.obs})
    critics = {
        name: MLP(input_dim + config.latent_size, 1, config.net_size, generator).to(device)
        for name, input_dim in inputs.items()
    }
    for name in ("qf1", "qf2") if twin_q else ("vf",):
        critics[TARGET + name] = copy.deepcopy(critics[name]).requires_grad_(False)
    if config.algo_params.encoder_loss == "rewards":
        seen = dims.obs + dims.action + config.latent_size
        critics["reward_model"] = MLP(seen, 1, config.encoder_size, generator).to(device)
    trainer = (TwinQTrainer if twin_q else PEARLTrainer)(agent, critics, config.algo_params)
    if config.path_to_weights is not None:
        load_weights(trainer, Path(config.path_to_weights))
    return trainer


def build_agent(config: Config, dims: Dims, generator: torch.Generator) -> PEARLAgent:
    """Context encoder and policy on the CPU, with weights drawn from `generator`."""
    algo = config.algo_params
    encoder = ENCODERS[algo.encoder](
        dims.context(algo.use_next_obs_in_context),
        config.latent_size,
        config.encoder_size,
        algo.use_information_bottleneck,
        generator,
    )
    policy = TanhGaussianPolicy(dims.obs, config.latent_size, dims.action, config.net_size, generator)
    return PEARLAgent(encoder, policy, config.latent_size)


def make_envs(config: Config, *, tasks: list[Task] | None = None, **changes: Any) -> MetaEnv:
    """The environment of a config, with as many lanes as episodes can run side by side, within bounds.

    A native family takes `tasks`, where given, in place of those that it would draw; `changes` are of its parameters.

    Raises:
        UserError: there is no such environment, it cannot be built so, or it lacks what the config needs of it.
    """
    from envs import is_native, make_env

    name = config.env_name
    try:
        native = is_native(name)
        settings = _lane_settings(config, MAX_LANES if native else MAX_COPIES)
        settings |= {"tasks": tasks} if native and tasks is not None else {}
        env = make_env(name, autoreset_mode=AutoresetMode.DISABLED, **{**settings, **changes})
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{name}: {error}") from None
    if config.algo_params.sparse_rewards and not env.has_sparse_reward:
        if native:
            raise UserError(f"algo_params.sparse_rewards: must be false, {name} gives no sparse reward, got true")
        env.has_sparse_reward = True  # others may name it only in the step that has it
        env.notes = [*env.notes, f"{name}: a first step gave no sparse_reward; where it is missing it counts 0"]
    return env


def _lane_settings(config: Config, max_lanes: int) -> dict[str, Any]:
    """Arguments for the environment's constructor.

    There are as many lanes as the initial pool or an evaluation has episodes side by side. Resets draw lane by
    lane, so an evaluation gives the same numbers again where the lanes are as many.
    """
    algo = config.algo_params
    episodes = max(
        config.n_train_tasks * -(-algo.num_initial_steps // algo.max_path_length),
        config.n_eval_tasks * max(algo.num_evals, -(-algo.num_steps_per_eval // algo.max_path_length)),
    )
    threads = {"num_threads": config.util_params.num_threads} if config.util_params.num_threads else {}
    return {
        "num_envs": min(episodes, max_lanes),
        "max_path_length": algo.max_path_length,
        **config.env_params.model_dump(),
        **threads,
    }
