"""Adam over several networks, without the bookkeeping that torch.optim does at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # PyTorch's defaults

Rates = Sequence[tuple[nn.Module, float]]
"""Networks that learn together, with a learning rate each."""


class Adam:
    """torch.optim.Adam's fused kernel on lists that are put together once (Kingma & Ba 2015, algorithm 1).

    For small networks torch.optim's way to that kernel takes several times as long as the kernel. The results are the
    same to the bit. All weights share one count of steps, which lies on their device: a step can be captured.

    Attributes:
        weights: what learns, in the order in which `step` takes the gradients.
    """

    def __init__(self, networks: Rates) -> None:
        """Begin with averages of zero; networks of the same rate share a call of the kernel."""
        self.weights: list[nn.Parameter] = [weight for network, _ in networks for weight in network.parameters()]
        self._gradient, self._square = ([torch.zeros_like(weight) for weight in self.weights] for _ in range(2))
        self._num_steps = torch.zeros((), device=self.weights[0].device)
        rates = [rate for network, rate in networks for _ in network.parameters()]
        self._groups = [self._group(rate, rates) for rate in dict.fromkeys(rates)]

    def _group(self, rate: float, rates: Sequence[float]) -> _Group:
        members = [index for index, its_rate in enumerate(rates) if its_rate == rate]
        weights, gradient, square = (
            [values[index] for index in members] for values in (self.weights, self._gradient, self._square)
        )
        return _Group(rate, members, weights, gradient, square)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move each weight by its gradient; both lie alike in memory, as autograd's do."""
        self._num_steps += 1
        for group in self._groups:
            torch._fused_adam_(
                group.weights,
                [gradients[index] for index in group.members],
                group.gradient,
                group.square,
                [],
                [self._num_steps] * len(group.members),
                lr=group.rate,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Averages and number of steps by dotted name, e.g. `gradient.3`."""
        lists = {"gradient": self._gradient, "square": self._square}
        state = {f"{name}.{index}": value for name, values in lists.items() for index, value in enumerate(values)}
        return state | {"num_steps": self._num_steps}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take a state of `state`.

        Raises:
            ValueError: it is that of other weights.
        """
        own = self.state()
        if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in state.items()}:
            raise ValueError("the saved averages of the optimizer are those of other weights")
        for name, value in own.items():
            value.copy_(state[name])


class _Group(NamedTuple):
    """The weights of one learning rate, and their averages."""

    rate: float
    members: list[int]  # among all weights
    weights: list[Tensor]
    gradient: list[Tensor]
    square: list[Tensor]
