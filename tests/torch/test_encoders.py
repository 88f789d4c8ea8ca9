"""All encoders: padding, order, tasks apart; the recurrent one: pieces, online use, and no memory of its own."""

import numpy as np
import pytest
import torch
from fakes import make_trainer

from rlkit.torch.encoders import ContextPiece

TASKS, STEPS, CONTEXT_DIM, LATENT, SIZE = 3, 24, 7, 5, 32
ENCODERS = ["mlp", "recurrent", "attention"]


def make_agent(device, encoder, probabilistic=True):
    settings = {"encoder": encoder, "use_information_bottleneck": probabilistic}
    agent = make_trainer(encoder_size=SIZE, device=device, **settings).agent
    with torch.no_grad():  # fresh output layers are so small that every belief would look the same
        agent.context_encoder.last_fc.weight.normal_()
    return agent


def make_context(device):
    return torch.randn(TASKS, STEPS, CONTEXT_DIM, device=device)


def assert_same(belief, other, tolerance=1e-5):
    torch.testing.assert_close(belief.mean, other.mean, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(belief.var, other.var, rtol=tolerance, atol=tolerance)


def differs(belief, other):
    return (belief.mean - other.mean).abs().max() > 1e-3


both = pytest.mark.parametrize("probabilistic", [True, False])
every = pytest.mark.parametrize("encoder", ENCODERS)


@both
@every
def test_padding_does_not_change_the_belief(device, encoder, probabilistic):
    agent, context = make_agent(device, encoder, probabilistic), make_context(device)
    length = np.array([STEPS, 9, 1])
    for task, n in enumerate(length):
        context[task, n:] = 1e3
    padded = agent.fuse(agent.codes(context), length)
    for task, n in enumerate(length):
        alone = agent.posterior(context[task : task + 1, :n])
        assert_same(padded.rows(np.array([task])), alone)
    assert differs(padded, agent.posterior(context))


@both
@every
def test_tasks_do_not_influence_one_another(device, encoder, probabilistic):
    agent, context = make_agent(device, encoder, probabilistic), make_context(device)
    together = agent.posterior(context)
    assert_same(together, agent.posterior(context[0:1]).joined(agent.posterior(context[1:3])))


@both
@every
def test_only_the_recurrent_belief_depends_on_the_order(device, encoder, probabilistic):
    agent, context = make_agent(device, encoder, probabilistic), make_context(device)
    shuffled = context[:, torch.randperm(STEPS, generator=torch.Generator().manual_seed(0))]
    belief, other = agent.posterior(context), agent.posterior(shuffled)
    if encoder == "recurrent":
        assert differs(belief, other)
    else:
        assert_same(belief, other)


@both
@every
def test_nothing_survives_a_call(device, encoder, probabilistic):
    agent = make_agent(device, encoder, probabilistic)
    first, second = torch.randn(2, TASKS, STEPS, CONTEXT_DIM, device=device)
    before = agent.posterior(first)
    agent.infer(second).mean.sum().backward()
    list(agent.pieces(second, 6))
    assert_same(agent.posterior(first), before, tolerance=0.0)
    assert {name.split(".")[0] for name, _ in agent.context_encoder.named_buffers()} == set()


@every
def test_the_variance_is_that_of_a_gaussian_or_zero(device, encoder):
    context = make_context(device) * 100  # far from where an encoder was trained
    assert (make_agent(device, encoder).posterior(context).var > 0).all()
    assert (make_agent(device, encoder, probabilistic=False).posterior(context).var == 0).all()


@every
def test_the_gradient_reaches_every_weight(device, encoder):
    agent = make_agent(device, encoder)
    belief = agent.infer(make_context(device))
    (belief.mean.sum() + belief.var.sum()).backward()
    for name, weight in agent.context_encoder.named_parameters():
        assert weight.grad is not None, name
        # a key's bias adds the same to all scores that a transition compares
        assert weight.grad.abs().max() > 1e-9 or name == "key.bias", name


@both
def test_reading_step_by_step_equals_reading_all(device, probabilistic):
    encoder = make_agent(device, "recurrent", probabilistic).context_encoder
    context, state = make_context(device), None
    for step in range(STEPS):
        transition = context[:, step : step + 1]
        assert_same(encoder.infer(transition, state=state), encoder.infer(context[:, : step + 1]))
        state = encoder.state_after(transition, state)


@both
def test_later_pieces_know_the_earlier_ones_without_gradient(device, probabilistic):
    agent, context = make_agent(device, "recurrent", probabilistic), make_context(device)
    pieces = list(agent.pieces(context, 8))
    assert torch.is_tensor(pieces[0])
    for number, piece in enumerate(pieces[1:], start=1):
        assert isinstance(piece, ContextPiece)
        hidden, cell = piece.state  # both are carried, and both matter
        assert not hidden.requires_grad
        assert not cell.requires_grad
        whole = agent.infer(context[:, : 8 * (number + 1)])
        assert_same(agent.infer(piece), whole)
        assert differs(agent.infer(ContextPiece(piece.transitions, (hidden, torch.zeros_like(cell)))), whole)
        assert differs(agent.infer(ContextPiece(piece.transitions, (torch.zeros_like(hidden), cell))), whole)


def test_a_piece_takes_the_weights_of_its_own_moment(device):
    """The state before a piece is that of the weights after the update on the piece before."""
    agent, context = make_agent(device, "recurrent"), make_context(device)
    pieces = agent.pieces(context, 12)
    next(pieces)
    with torch.no_grad():
        agent.context_encoder.fc0.weight.mul_(1.5)
    assert_same(agent.infer(next(pieces)), agent.infer(context))


@pytest.mark.parametrize("encoder", ["mlp", "attention"])
def test_encoders_without_order_take_each_piece_by_itself(device, encoder):
    agent, context = make_agent(device, encoder), make_context(device)
    pieces = list(agent.pieces(context, 8))
    assert all(torch.is_tensor(piece) for piece in pieces)
    assert torch.equal(torch.cat(pieces, dim=1), context)


@every
def test_building_draws_from_its_own_generator_only(encoder):
    state = torch.random.get_rng_state()
    agent, again = (make_trainer(encoder=encoder).agent for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    for weight, other in zip(agent.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, other)


@both
@every
def test_hidden_layers_in_bfloat16_give_a_float32_belief(device, encoder, probabilistic):
    agent, context = make_agent(device, encoder, probabilistic), make_context(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False):
        beliefs = [agent.infer(piece) for piece in agent.pieces(context, 12)]
    for belief in beliefs:
        assert belief.mean.dtype == belief.var.dtype == torch.float32
    if encoder == "recurrent":
        assert_same(beliefs[-1], agent.infer(context), tolerance=0.1)
