"""The matrix products that a gradient step cannot avoid, as bare calls of the library: the limit of the update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from rlkit.config.settings import Config
from rlkit.torch.networks import NUM_HIDDEN_LAYERS
from rlkit.util.records import Dims

Layer = tuple[int, int]  # widths of input and output
Pass = tuple[str, int, list[Layer]]  # what it gives (see `_product`), its rows, and the layers that it goes through


def update_products(
    config: Config, dims: Dims, device: torch.device, dtype: torch.dtype = torch.float32
) -> Callable[[], object]:
    """A call that does the products of an update; on a GPU a graph: launching them is no part of the limit."""
    products = [
        _product(kind, rows, layer, device, dtype) for kind, rows, layers in _passes(config, dims) for layer in layers
    ]
    _run_all(products)
    if device.type != "cuda":
        return partial(_run_all, products)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _run_all(products)
    return partial(_replay, graph, products)


def _run_all(products: list[Callable[[], torch.Tensor]]) -> None:
    for product in products:
        product()


def _replay(graph: torch.cuda.CUDAGraph, products: object) -> None:
    """`products` are kept with it, as it writes to their memory for as long as it is replayed."""
    del products
    graph.replay()


def gigaflop(config: Config, dims: Dims) -> float:
    """Multiplications and additions of the products, in 1e9."""
    products = update_products(config, dims, torch.device("meta"))
    with FlopCounterMode(display=False) as counter:
        products()
    return counter.get_total_flops() / 1e9


def _passes(config: Config, dims: Dims) -> list[Pass]:
    """Which products of which layers an update has at `config`'s sizes, and with how many rows.

    Forward: the encoder on the context, the policy, both critics on the batch's actions and on the policy's, value
    and target. Backward: weights of encoder, policy, critics and value; inputs of each of their layers but the
    first; of the critics' first layer only what leads to z, or to the policy's action. The critics' weights get
    none from the policy's loss.
    """
    algo, latent, width = config.algo_params, config.latent_size, config.net_size
    rows, context_rows = algo.meta_batch * algo.batch_size, algo.meta_batch * algo.embedding_mini_batch_size
    outputs = latent * (2 if algo.use_information_bottleneck else 1)
    encoder = _layers(dims.context(algo.use_next_obs_in_context), config.encoder_size, outputs)
    policy = _layers(dims.obs + latent, width, 2 * dims.action)
    critic = _layers(dims.obs + dims.action + latent, width, 1)
    value = _layers(dims.obs + latent, width, 1)
    of_each_critic = [
        ("forward", rows, critic),
        ("weights", rows, critic),
        ("inputs", rows, [*critic[1:], (latent, width)]),
        ("forward", rows, critic),
        ("inputs", rows, [*critic[1:], (dims.action, width)]),
    ]
    return [
        *_there_and_back(context_rows, encoder),
        *_there_and_back(rows, policy),
        *2 * of_each_critic,
        *_there_and_back(rows, value),
        ("forward", rows, value),
    ]


def _layers(input_dim: int, hidden_dim: int, output_dim: int) -> list[Layer]:
    hidden = [(hidden_dim, hidden_dim)] * (NUM_HIDDEN_LAYERS - 1)
    return [(input_dim, hidden_dim), *hidden, (hidden_dim, output_dim)]


def _there_and_back(rows: int, layers: list[Layer]) -> list[Pass]:
    return [("forward", rows, layers), ("weights", rows, layers), ("inputs", rows, layers[1:])]


def _product(
    kind: str, rows: int, layer: Layer, device: torch.device, dtype: torch.dtype
) -> Callable[[], torch.Tensor]:
    """A product on arrays of its own, in the memory layouts that Linear and its backward have."""
    input_dim, output_dim = layer
    inputs, outputs, weights = (
        torch.empty(shape, device=device, dtype=dtype).normal_()
        for shape in ((rows, input_dim), (rows, output_dim), (output_dim, input_dim))
    )
    products = {
        "forward": (inputs, weights.t(), outputs),
        "weights": (outputs.t(), inputs, weights),
        "inputs": (outputs, weights, inputs),
    }
    left, right, out = products[kind]
    return partial(torch.mm, left, right, out=out)
