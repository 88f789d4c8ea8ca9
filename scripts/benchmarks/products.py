"""The matrix products that a gradient step cannot avoid, as bare calls of the library: the limit of the update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from rlkit.config.settings import Config
from rlkit.torch.networks import NUM_HIDDEN_LAYERS
from rlkit.util.records import Dims

Product = Callable[[], object]
Shape = tuple[int, int]


def update_products(
    config: Config, obs_dim: int, action_dim: int, device: torch.device, dtype: torch.dtype
) -> list[Product]:
    """One call per product of an update at `config`'s sizes.

    Forward: the encoder on the context, the policy, both critics on the batch's actions and on the policy's, value
    and target. Backward: weights of encoder, policy, critics and value; inputs of each of their layers but the
    first; of the critics' first layer only what leads to z, or to the policy's action. The critics' weights get
    none from the policy's loss.
    """
    algo, latent = config.algo_params, config.latent_size
    rows, context_rows = algo.meta_batch * algo.batch_size, algo.meta_batch * algo.embedding_mini_batch_size
    context_dim = Dims(obs_dim, action_dim).context(algo.use_next_obs_in_context)
    outputs = latent * (2 if algo.use_information_bottleneck else 1)
    encoder = _layers(context_dim, config.encoder_size, outputs)
    policy = _layers(obs_dim + latent, config.net_size, 2 * action_dim)
    critic = _layers(obs_dim + action_dim + latent, config.net_size, 1)
    value = _layers(obs_dim + latent, config.net_size, 1)
    make = _ProductMaker(device, dtype)
    make.forward(context_rows, encoder).weights(context_rows, encoder).inputs(context_rows, encoder[1:])
    make.forward(rows, policy).weights(rows, policy).inputs(rows, policy[1:])
    for _ in range(2):
        make.forward(rows, critic).weights(rows, critic).inputs(rows, [*critic[1:], (latent, config.net_size)])
        make.forward(rows, critic).inputs(rows, [*critic[1:], (action_dim, config.net_size)])
    make.forward(rows, value).weights(rows, value).inputs(rows, value[1:])
    make.forward(rows, value)
    return make.products


def run_all(products: list[Product]) -> None:
    """One after the other."""
    for product in products:
        product()


def all_at_once(products: list[Product], device: torch.device) -> Product:
    """A call that runs them; on a GPU a graph, so that launching them is no part of the limit."""
    run_all(products)
    if device.type != "cuda":
        return partial(run_all, products)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run_all(products)
    return graph.replay


def gigaflop(products_of: Config, obs_dim: int, action_dim: int) -> float:
    """Multiplications and additions of the products, in 1e9."""
    maker = update_products(products_of, obs_dim, action_dim, torch.device("meta"), torch.float32)
    with FlopCounterMode(display=False) as counter:
        run_all(maker)
    return counter.get_total_flops() / 1e9


def _layers(input_dim: int, hidden_dim: int, output_dim: int) -> list[Shape]:
    hidden = [(hidden_dim, hidden_dim)] * (NUM_HIDDEN_LAYERS - 1)
    return [(input_dim, hidden_dim), *hidden, (hidden_dim, output_dim)]


class _ProductMaker:
    """Collects products on arrays of their own, in the memory layouts that Linear and its backward have."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._options = {"device": device, "dtype": dtype}
        self.products: list[Product] = []

    def forward(self, rows: int, layers: list[Shape]) -> _ProductMaker:
        for input_dim, output_dim in layers:
            self._add(self._random(rows, input_dim), self._random(output_dim, input_dim).t())
        return self

    def weights(self, rows: int, layers: list[Shape]) -> _ProductMaker:
        for input_dim, output_dim in layers:
            self._add(self._random(rows, output_dim).t(), self._random(rows, input_dim))
        return self

    def inputs(self, rows: int, layers: list[Shape]) -> _ProductMaker:
        for input_dim, output_dim in layers:
            self._add(self._random(rows, output_dim), self._random(output_dim, input_dim))
        return self

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, **self._options).normal_()  # type: ignore[call-overload]

    def _add(self, left: torch.Tensor, right: torch.Tensor) -> None:
        out = torch.empty(left.shape[0], right.shape[1], **self._options)  # type: ignore[call-overload]
        self.products.append(lambda: torch.mm(left, right, out=out))
