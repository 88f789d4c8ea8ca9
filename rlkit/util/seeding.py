"""One seed, many independent streams of random numbers."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream of random numbers is for."""

    NETWORKS = 0  # initial weights
    TASKS = 1  # which tasks collect
    COLLECT_ENV = 2  # resets while collecting
    COLLECT_AGENT = 3  # z and exploration noise while collecting
    TRAIN = 4  # batches and the update's noise
    EVAL_TASKS = 5  # which training tasks are evaluated
    EVAL_ENV = 6
    EVAL_AGENT = 7


INITIAL_POOL = 0  # the iteration number of what happens before the first iteration, which is number 1


def stream_seed(seed: int, stream: Stream, iteration: int = INITIAL_POOL) -> int:
    """The seed of one stream in one iteration.

    Every iteration starts its streams afresh from (seed, stream, iteration): an iteration's numbers depend on no
    generator state of the one before, and an evaluation can be repeated from its number alone.
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(int(stream), iteration))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
