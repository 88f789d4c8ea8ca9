"""The wiring of the whole program: from a config to environments, networks, buffers and the loop.

Imports of torch and mujoco are in the functions: this module is imported before it is known that a run will start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rlkit.config.settings import Config
from rlkit.launchers.lanes import make_lanes

if TYPE_CHECKING:
    import torch

    from envs import MetaEnv, Task
    from rlkit.core.rl_algorithm import Display, MetaRLAlgorithm
    from rlkit.data_management.experience import Experience
    from rlkit.torch.sac.agent import PEARLAgent
    from rlkit.torch.sac.pearl import PEARLTrainer
    from rlkit.torch.sac.training_phase import TrainingPhase
    from rlkit.util.records import Dims
    from rlkit.util.signals import StopSignal


class Parts(NamedTuple):
    """What a run is made of, as far as it is saved and restored."""

    algorithm: MetaRLAlgorithm
    trainer: PEARLTrainer
    training: TrainingPhase
    experience: Experience
    tasks: list[Task]
    envs: tuple[MetaEnv, MetaEnv]

    def close(self) -> None:
        """Close the environments, whose copies may be processes."""
        for env in self.envs:
            env.close()


def build(config: Config, *, device: torch.device, display: Display, stop: StopSignal) -> Parts:
    """Put the parts of a run together.

    Args:
        config: the experiment, with a seed.
        device: where it trains; `prepare_device` has set it up.
        display: is told of phases and steps.
        stop: is looked at between steps.

    Raises:
        UserError: environment or weights are not as the config says.
    """
    import numpy as np
    import torch

    from rlkit.core.collector import Collector
    from rlkit.core.evaluation import Evaluator
    from rlkit.core.rl_algorithm import MetaRLAlgorithm, TaskSplit
    from rlkit.data_management.context import ContextSampler
    from rlkit.data_management.experience import Experience
    from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
    from rlkit.samplers.path_sampler import PathSampler
    from rlkit.torch.sac.training_phase import TrainingPhase
    from rlkit.util.records import Dims
    from rlkit.util.seeding import Stream, stream_seed

    assert config.seed is not None, "whoever starts a run draws a seed where the config has none"
    algo, n_tasks = config.algo_params, config.env_params.n_tasks
    env, eval_env = make_lanes(config), make_lanes(config)
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
    experience = Experience(replay, recent)
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
    import copy
    from pathlib import Path

    from rlkit.torch.networks import MLP
    from rlkit.torch.sac.pearl import TARGET, PEARLTrainer
    from rlkit.torch.sac.twin_q import TwinQTrainer
    from rlkit.torch.sac.weights import load_weights

    agent = build_agent(config, dims, generator).to(device)
    twin_q = config.algo_params.critic == "twin_q"
    inputs = {"qf1": dims.obs + dims.action, "qf2": dims.obs + dims.action} | ({} if twin_q else {"vf": dims.obs})
    critics = {
        name: MLP(input_dim + config.latent_size, 1, config.net_size, generator).to(device)
        for name, input_dim in inputs.items()
    }
    for name in ("qf1", "qf2") if twin_q else ("vf",):
        critics[TARGET + name] = copy.deepcopy(critics[name]).requires_grad_(False)
    trainer = (TwinQTrainer if twin_q else PEARLTrainer)(agent, critics, config.algo_params)
    if config.path_to_weights is not None:
        load_weights(trainer, Path(config.path_to_weights))
    return trainer


def build_agent(config: Config, dims: Dims, generator: torch.Generator) -> PEARLAgent:
    """Context encoder and policy on the CPU, with weights drawn from `generator`."""
    from rlkit.torch.attention_encoder import AttentionEncoder
    from rlkit.torch.encoders import MLPEncoder
    from rlkit.torch.recurrent_encoder import RecurrentEncoder
    from rlkit.torch.sac.agent import PEARLAgent
    from rlkit.torch.sac.policies import TanhGaussianPolicy

    algo = config.algo_params
    encoders: dict[str, type[MLPEncoder] | type[RecurrentEncoder]] = {
        "mlp": MLPEncoder,
        "recurrent": RecurrentEncoder,
        "attention": AttentionEncoder,
    }
    encoder = encoders[algo.encoder](
        dims.context(algo.use_next_obs_in_context),
        config.latent_size,
        config.encoder_size,
        algo.use_information_bottleneck,
        generator,
    )
    policy = TanhGaussianPolicy(dims.obs, config.latent_size, dims.action, config.net_size, generator)
    return PEARLAgent(encoder, policy, config.latent_size)
