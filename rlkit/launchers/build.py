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
    from rlkit.torch.sac.trainer import Trainer
    from rlkit.torch.sac.training_phase import TrainingStep
    from rlkit.util.signals import StopSignal


class Parts(NamedTuple):
    """What a run is made of, as far as it is saved and restored."""

    algorithm: MetaRLAlgorithm
    trainer: Trainer
    training_step: TrainingStep
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
    from rlkit.torch.sac.builder import build_pearl
    from rlkit.torch.sac.training_phase import TrainingStep
    from rlkit.util.seeding import Stream, stream_seed

    assert config.seed is not None, "whoever starts a run draws a seed where the config has none"
    algo, n_tasks = config.algo_params, config.env_params.n_tasks
    env, eval_env = make_lanes(config), make_lanes(config)
    for note in env.notes:
        display.say(note)
    tasks = TaskSplit(np.array(config.train_tasks), np.array(config.test_tasks))
    init = torch.Generator().manual_seed(stream_seed(config.seed, Stream.NETWORKS))
    trainer = build_pearl(config, env.observation_dim, env.action_dim, device, init)
    collect_rng, train_rng, eval_rng = (torch.Generator(device) for _ in range(3))
    replay, encoder = (
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
    if config.util_params.compile == "on":
        trainer.compile()
    draw_context = ContextSampler(encoder if algo.context_source == "recent" else replay, algo)
    training_step = TrainingStep(
        trainer,
        replay,
        draw_context,
        tasks.train,
        algo,
        train_rng,
        precision=config.util_params.precision,
        use_graph=config.util_params.compile != "off",
        stop_on_nan=config.util_params.on_nan == "stop",
    )
    experience = Experience(replay, encoder)
    algorithm = MetaRLAlgorithm(
        algo,
        config.seed,
        tasks,
        collector=Collector(PathSampler(env, trainer.agent), trainer.agent, collect_rng),
        experience=experience,
        draw_context=draw_context,
        training_step=training_step,
        evaluator=Evaluator(PathSampler(eval_env, trainer.agent, record_terms=True), trainer.agent, eval_rng, algo),
        display=display,
        stop=stop,
    )
    return Parts(algorithm, trainer, training_step, experience, env.tasks, (env, eval_env))
