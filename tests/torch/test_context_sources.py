"""What a gradient step is given, by where its context comes from and how it is split."""

import numpy as np
import pytest
import torch
from fakes import ACTION_DIM, OBS_DIM, REWARD_COLUMN, SPARSE_OFFSET, make_paths, make_trainer

from rlkit.data_management.context import ContextSampler
from rlkit.data_management.replay_buffer import MultiTaskReplayBuffer
from rlkit.torch.encoders import ContextPiece
from rlkit.torch.sac.training_phase import TrainingPhase

LATENT = 3
OLD, RECENT = 0, 500  # steps of the data that only the replay buffer has, and of what both buffers have


def make_step(device, **settings):
    sizes = {"meta_batch": 5, "batch_size": 16, "embedding_batch_size": 12, "embedding_mini_batch_size": 12}
    trainer = make_trainer(OBS_DIM, ACTION_DIM, latent_size=LATENT, seed=0, device=device, **{**sizes, **settings})
    params = trainer.params
    replay, recent = (
        MultiTaskReplayBuffer(
            4, OBS_DIM, ACTION_DIM, capacity=1000, page_size=10, has_sparse_reward=True, device=device
        )
        for _ in range(2)
    )
    replay.add(make_paths([0, 1, 2, 3], 90, first_step=OLD))
    for buffer in (replay, recent):
        buffer.add(make_paths([0, 1, 2, 3], 10, first_step=RECENT))
    contexts = ContextSampler(recent if params.context_source == "recent" else replay, params)
    step = TrainingPhase(trainer, replay, contexts, np.arange(3), params, torch.Generator(device))
    step.start(0)
    return step


def inputs(device, **settings):
    """Batch and context of the one update of a step."""
    ((batch, context, _),) = make_step(device, **settings).draw()
    return batch, context


def test_recent_context_is_of_recent_data_and_the_batch_is_not(device):
    batch, context = inputs(device)
    assert (context[..., 1] >= RECENT).all()
    assert (batch.obs[..., 1] < RECENT).any()


def test_replay_context_is_of_all_data_drawn_apart_from_the_batch(device):
    batch, context = inputs(device, context_source="replay")
    assert (context[..., 1] < RECENT).any()
    assert not torch.equal(context[..., 1], batch.obs[:, :12, 1])


def test_rl_batch_context_is_the_batch_itself(device):
    batch, context = inputs(device, context_source="rl_batch")
    torch.testing.assert_close(context[..., :OBS_DIM], batch.obs[:, :12])
    _, all_of_it = inputs(device, context_source="rl_batch", embedding_batch_size=16, embedding_mini_batch_size=16)
    assert all_of_it.shape[1] == 16


@pytest.mark.parametrize("source", ["recent", "replay", "rl_batch"])
def test_context_is_sparse_where_configured_and_the_batch_never(device, source):
    batch, context = inputs(device, context_source=source, sparse_rewards=True)
    assert (context[..., REWARD_COLUMN] == context[..., 0] + SPARSE_OFFSET).all()
    assert (batch.reward == batch.obs[..., :1]).all()
    assert (context[..., 0] == batch.obs[:, :12, 0]).all()  # task by task


@pytest.mark.parametrize("encoder", ["mlp", "recurrent", "attention"])
def test_a_split_context_gives_an_update_for_each_piece(device, encoder):
    step = make_step(device, encoder=encoder, context_sampling="trajectories", embedding_mini_batch_size=4)
    contexts = [context for _, context, _ in step.draw()]
    assert len(contexts) == 3
    carried = [isinstance(context, ContextPiece) for context in contexts]
    assert carried == ([False, True, True] if encoder == "recurrent" else [False] * 3)
    transitions = [context.transitions if isinstance(context, ContextPiece) else context for context in contexts]
    steps = torch.cat(transitions, dim=1)[..., 1]
    assert torch.equal(
        steps.cpu(), torch.tensor([*range(RECENT, RECENT + 10), RECENT, RECENT + 1]).expand(5, 12).float()
    )


@pytest.mark.parametrize("probabilistic", [True, False])
@pytest.mark.parametrize("encoder", ["mlp", "recurrent", "attention"])
def test_the_encoder_learns_and_equal_seeds_give_equal_weights(device, encoder, probabilistic):
    settings = {"encoder": encoder, "use_information_bottleneck": probabilistic, "embedding_mini_batch_size": 6}
    steps = [make_step(device, **settings) for _ in range(2)]
    before = [weight.clone() for weight in steps[0].trainer.agent.context_encoder.parameters()]
    for step in steps:
        step.run(3, lambda: None)
    for old, one, other in zip(before, *(s.trainer.agent.context_encoder.parameters() for s in steps), strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, old)
