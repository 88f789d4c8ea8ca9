"""Multi-layer perceptrons with the reference's initialisation and parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN_BIAS = 0.1
OUTPUT_BOUND = 3e-3  # weights and biases of the output layer start within +- this
NUM_HIDDEN_LAYERS = 3


class MLP(nn.Module):
    """`fc0`, `fc1`, `fc2` with ReLU, then `last_fc`. Leading axes of the input are kept."""

    def __init__(self, input_dim: int, output_dim: int, hidden_dim: int, generator: torch.Generator) -> None:
        """Draw the initial weights from `generator` (the global one is not touched)."""
        super().__init__()
        self.fc0 = hidden_layer(input_dim, hidden_dim, generator)
        self.fc1 = hidden_layer(hidden_dim, hidden_dim, generator)
        self.fc2 = hidden_layer(hidden_dim, hidden_dim, generator)
        self.last_fc = output_layer(hidden_dim, output_dim, OUTPUT_BOUND, generator)

    def features(self, *inputs: Tensor) -> Tensor:
        """The last hidden layer for the concatenation of `inputs` along the last axis, (rows, hidden_dim).

        Rows are the leading axes made one: a Linear over more axes gives a view, on which ReLU in place is slow.
        """
        joined = torch.cat(inputs, dim=-1) if len(inputs) > 1 else inputs[0]
        hidden = joined.flatten(end_dim=-2)
        hidden = F.relu(self.fc0(hidden), inplace=True)
        hidden = F.relu(self.fc1(hidden), inplace=True)
        return F.relu(self.fc2(hidden), inplace=True)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Output for the concatenation of `inputs` along the last axis, (..., output_dim)."""
        return output(self.last_fc, self.features(*inputs)).view(*inputs[0].shape[:-1], -1)


def output(layer: nn.Linear, hidden: Tensor) -> Tensor:
    """An output layer's values in float32, also where autocast computes the hidden layers in bfloat16.

    Values and their differences need more than bfloat16's eight bits; the layer is small.
    """
    if hidden.dtype == layer.weight.dtype:
        return layer(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        return layer(hidden.to(layer.weight.dtype))


def hidden_layer(input_dim: int, output_dim: int, generator: torch.Generator) -> nn.Linear:
    """A layer with weights U(-1/sqrt(output_dim), 1/sqrt(output_dim)).

    The bound takes the output width where the name fan-in promises the input's: the reference's quirk, kept so
    that learning curves compare.
    """
    layer = _empty_layer(input_dim, output_dim)
    bound = output_dim**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.fill_(HIDDEN_BIAS)
    return layer


def output_layer(input_dim: int, output_dim: int, bound: float, generator: torch.Generator) -> nn.Linear:
    """A layer with weights and biases U(-bound, bound)."""
    layer = _empty_layer(input_dim, output_dim)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def _empty_layer(input_dim: int, output_dim: int) -> nn.Linear:
    return nn.utils.skip_init(nn.Linear, input_dim, output_dim)
