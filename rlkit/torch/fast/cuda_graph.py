"""GraphedCall: the same work again and again on a GPU, launched as one CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

LOGGER = logging.getLogger("pearl")
WARM_UP_CALLS = 3  # run one by one before the capture, as CUDA graphs ask for


class GraphedCall:
    """Calls a function whose inputs and outputs stay where they are, as a CUDA graph after some warm-up calls.

    Launching a gradient step kernel by kernel takes longer than computing it; a graph is launched once. Every call
    does the function's work exactly once, warm-up included. Where a capture is not possible the function is called as
    it is from then on, which the log says.
    """

    def __init__(self, call: Callable[[], None], generator: torch.Generator, version: Callable[[], int]) -> None:
        """Prepare.

        Args:
            call: the work; it must not wait for the device.
            generator: the CUDA generator that it draws from.
            version: of the memory that its inputs lie in; the graph is captured anew when that has changed.
        """
        self._call = call
        self._generator = generator
        self._version = version
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured_version: int | None = None
        self._stream = torch.cuda.Stream(generator.device)
        self._calls = 0
        self._possible = True

    @property
    def is_stale(self) -> bool:
        """Whether there is no graph of the inputs where they lie now."""
        return self._captured_version != self._version()

    def __call__(self) -> None:
        self._calls += 1
        if self._calls <= WARM_UP_CALLS:
            self._warm_up()
            return
        if self._possible and self.is_stale:
            self._capture()
        if self._graph is None:
            self._call()
        else:
            self._graph.replay()

    def _warm_up(self) -> None:
        current = torch.cuda.current_stream(self._generator.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            self._call()
        current.wait_stream(self._stream)

    def _capture(self) -> None:
        """Record the call; nothing is computed by this, nor drawn where it fails."""
        self._graph = None  # gives the memory of the last capture back
        before = self._generator.clone_state()  # a capture that breaks off leaves the generator in its hands
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                self._call()
        except RuntimeError as error:
            LOGGER.warning("the gradient step cannot be captured as a CUDA graph, it runs without: %s", error)
            self._possible = False
            self._generator.graphsafe_set_state(before)
            return
        self._graph = graph
        self._captured_version = self._version()
