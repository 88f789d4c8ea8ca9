import pytest
import torch
from fakes import make_trainer
from torch import nn

from rlkit.torch.fast.adam import Adam
from rlkit.torch.sac.pearl import Noise
from rlkit.util.records import Batch


def make_networks(device="cpu"):
    generator = torch.Generator().manual_seed(0)
    networks = [nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2)]
    with torch.no_grad():
        for network in networks:
            for weight in network.parameters():
                weight.normal_(generator=generator)
    return [network.to(device) for network in networks]


def gradients_of(networks, number):
    generator = torch.Generator().manual_seed(number)
    weights = [weight for net in networks for weight in net.parameters()]
    return [torch.randn(weight.shape, generator=generator).to(weight.device) for weight in weights]


RATES = (1e-3, 3e-4, 1e-3)


def test_steps_are_those_of_torch(device):
    """Also with several learning rates, whose weights take turns."""
    ours, theirs = make_networks(device), make_networks(device)
    adam = Adam(list(zip(ours, RATES, strict=True)))
    reference = torch.optim.Adam(
        [{"params": list(net.parameters()), "lr": rate} for net, rate in zip(theirs, RATES, strict=True)], fused=True
    )
    for step in range(5):
        adam.step(gradients_of(ours, step))
        weights = [weight for net in theirs for weight in net.parameters()]
        for weight, gradient in zip(weights, gradients_of(ours, step), strict=True):
            weight.grad = gradient
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        assert torch.equal(own.weight, other.weight)
        assert torch.equal(own.bias, other.bias)


def test_a_state_goes_on_where_it_was_taken():
    whole, first, second = make_networks(), make_networks(), make_networks()
    adams = [Adam(list(zip(nets, RATES, strict=True))) for nets in (whole, first, second)]
    for step in range(3):
        adams[0].step(gradients_of(whole, step))
        adams[1].step(gradients_of(whole, step))
    adams[2].restore({name: value.clone() for name, value in adams[1].state().items()})
    for own, other in zip(second, first, strict=True):
        own.load_state_dict(other.state_dict())
    for step in range(3, 5):
        adams[0].step(gradients_of(whole, step))
        adams[2].step(gradients_of(whole, step))
    for own, other in zip(second, whole, strict=True):
        assert torch.equal(own.weight, other.weight)


def test_the_state_of_other_weights_is_refused():
    adam = Adam([(nn.Linear(3, 4), 1e-3)])
    for other in (Adam([(nn.Linear(3, 5), 1e-3)]), Adam([(nn.Linear(3, 4, bias=False), 1e-3)])):
        with pytest.raises(ValueError, match="other weights"):
            adam.restore(other.state())


@pytest.mark.parametrize("encoder", ["mlp", "recurrent", "attention"])
def test_gradients_lie_as_their_weights_do(device, encoder):
    """The kernel goes through memory, whatever the strides say."""
    sizes = {"net_size": 8, "encoder_size": 8, "meta_batch": 2, "batch_size": 4}
    trainer = make_trainer(2, 2, **sizes, encoder=encoder, device=device)

    def randn(*shape):
        return torch.randn(shape, device=device)

    batch = Batch(*(randn(2, 4, width) for width in (2, 2, 1, 2, 1)))
    context = randn(2, 6, trainer.agent.context_encoder.context_dim)
    loss, z, _ = trainer.critic_loss(batch, context, Noise(randn(2, 5), randn(2, 4, 2)))
    actor_loss, _ = trainer.actor_loss(batch.obs, z.detach(), randn(2, 4, 2))
    for its_loss, adam in zip((loss, actor_loss), trainer._adams().values(), strict=True):
        for weight, gradient in zip(adam.weights, torch.autograd.grad(its_loss, adam.weights), strict=True):
            assert gradient.stride() == weight.stride()
