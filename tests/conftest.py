"""Where the golden numbers are, and fixtures shared by the tests."""

import os
from pathlib import Path

# Small networks gain nothing from a second thread, and threads that spin slow other processes down. In the
# environment, so that the processes that tests start have it too, and before torch reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from pretend_gpu import pretend_gpu

GPU = pytest.param("cuda:0", id="cuda", marks=pytest.mark.gpu) if torch.cuda.is_available() else "pretended"
DEFAULT_GOLDEN_DIR = Path(__file__).parent / "data" / "golden"


@pytest.fixture(scope="session")
def golden_dir():
    """Folder with `env/*.npz` and `update/*.npz`; PEARL_GOLDEN_DIR names another one of the same form."""
    return Path(os.environ.get("PEARL_GOLDEN_DIR", DEFAULT_GOLDEN_DIR))


def _device(name, monkeypatch):
    if name == "pretended":
        with pretend_gpu() as device:
            monkeypatch.setattr("rlkit.torch.pytorch_util.choose_device", lambda *_: device)
            yield device
        return
    torch.backends.cudnn.allow_tf32 = False  # as `prepare_device` has it for float32
    yield torch.device(name)


@pytest.fixture(params=["cpu", *[GPU] * (torch.cuda.is_available() or "PEARL_PRETEND_GPU" in os.environ)])
def device(request, monkeypatch):
    """Every device that there is, and where PEARL_PRETEND_GPU is set the one of pretend_gpu.py."""
    yield from _device(request.param, monkeypatch)


@pytest.fixture(params=[GPU])
def gpu(request, monkeypatch):
    """A GPU, or the device of pretend_gpu.py where there is none."""
    yield from _device(request.param, monkeypatch)


@pytest.fixture
def place(request):
    """The launcher's words for the test's device; the CPU for a test that takes none."""
    takes_gpu = "device" in request.fixturenames and request.getfixturevalue("device").type != "cpu"
    return ["--gpu", "0"] if takes_gpu else ["--cpu"]


@pytest.fixture(autouse=True)
def _seeded():
    """Tests that draw without a generator of their own draw the same each time."""
    torch.manual_seed(0)
