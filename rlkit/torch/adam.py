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

    For small networks torch.optim's way to that kernel takes five times as long as the kernel. The results are the
    same to the bit. All weights share one count of steps, which lies on their device: a step can be captured.

    Attributes:
        weights: what learns, in the order in which `step` takes the gradients.
    """

    def __init__(self, networks: Rates) -> None:
        """Begin with averages of zero; networks of the same rate share a call of the kernel."""
        self.weights: list[nn.Parameter] = [weight for network, _ in networks for weight in network.parameters()]
        rates = [rate for network, rate in networks for _ in network.parameters()]
        self._averages = _Averages(*([torch.zeros_like(weight) for weight in self.weights] for _ in range(2)))
        self._num_steps = torch.zeros((), device=self.weights[0].device)
        self._groups = [
            (rate, [index for index, its_rate in enumerate(rates) if its_rate == rate])
            for rate in dict.fromkeys(rates)
        ]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move each weight by its gradient."""
        self._num_steps += 1
        for rate, members in self._groups:
            torch._fused_adam_(
                [self.weights[index] for index in members],
                [gradients[index] for index in members],
                [self._averages.gradient[index] for index in members],
                [self._averages.square[index] for index in members],
                [],
                [self._num_steps] * len(members),
                lr=rate,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Averages and number of steps by dotted name, e.g. `gradient.3`."""
        lists = self._averages._asdict().items()
        state = {f"{name}.{index}": value for name, values in lists for index, value in enumerate(values)}
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


class _Averages(NamedTuple):
    gradient: list[Tensor]
    square: list[Tensor]
