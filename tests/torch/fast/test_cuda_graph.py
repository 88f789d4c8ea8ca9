"""When a graph is captured, replayed and stale, with a stand-in for CUDA; a GPU's numbers: test_training_phase."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from rlkit.torch.fast.cuda_graph import WARM_UP_CALLS, GraphedCall


class CudaGenerator(torch.Generator):
    """A generator whose whole state can be put back, as CUDA's can and the CPU's cannot."""

    def graphsafe_set_state(self, state):
        self.set_state(state.get_state())


class FakeGraph:
    """Replays what was called while it was captured."""

    captured = 0

    def __init__(self):
        FakeGraph.captured += 1
        self.number = FakeGraph.captured

    def register_generator_state(self, generator):
        pass

    def replay(self):
        CALLS.append(self.number)


CALLS = []


@pytest.fixture
def versions(monkeypatch):
    FakeGraph.captured = 0
    CALLS.clear()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(GraphedCall, "_warm_up", lambda call: call._call())
    return [1]


def test_a_graph_is_captured_once_and_anew_when_its_memory_moved(versions):
    call = GraphedCall(lambda: CALLS.append("call"), CudaGenerator(), lambda: versions[-1])
    for _ in range(WARM_UP_CALLS):
        call()
    assert CALLS == ["call"] * WARM_UP_CALLS
    CALLS.clear()
    call()
    call()
    assert not call.is_stale
    assert CALLS == ["call", 1, 1]  # captured, which calls without computing, then replayed
    CALLS.clear()
    versions.append(2)
    assert call.is_stale
    call()
    call()
    assert CALLS == ["call", 2, 2]


def test_what_cannot_be_captured_is_called(versions, monkeypatch):
    def refuse(graph, stream):
        raise RuntimeError("a host copy")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    call = GraphedCall(lambda: CALLS.append("call"), CudaGenerator(), lambda: versions[-1])
    for _ in range(WARM_UP_CALLS + 3):
        call()
    assert CALLS == ["call"] * (WARM_UP_CALLS + 3)


def test_a_capture_that_breaks_off_at_its_end_leaves_no_trace(versions, monkeypatch, caplog):
    """As with a wait for the device: the work has been recorded, and drawn, when CUDA refuses."""

    @contextmanager
    def refuse(graph, stream):
        yield
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    generator = CudaGenerator().manual_seed(0)
    drawn = []
    call = GraphedCall(lambda: drawn.append(torch.rand((), generator=generator).item()), generator, lambda: 1)
    for _ in range(WARM_UP_CALLS + 3):
        call()
    alone = torch.Generator().manual_seed(0)
    expected = [torch.rand((), generator=alone).item() for _ in range(WARM_UP_CALLS + 3)]
    recorded = drawn.pop(WARM_UP_CALLS)
    assert drawn == expected
    assert recorded == expected[WARM_UP_CALLS]
    assert caplog.text.count("cannot be captured") == 1
