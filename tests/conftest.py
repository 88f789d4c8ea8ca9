"""Where the golden numbers are, and fixtures shared by the tests."""

import os
from pathlib import Path

# Small networks gain nothing from a second thread, and threads that spin slow other processes down. In the
# environment, so that the processes that tests start have it too, and before torch reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

DEFAULT_GOLDEN_DIR = Path(__file__).parent / "data" / "golden"


@pytest.fixture(scope="session")
def golden_dir():
    """Folder with `env/*.npz` and `update/*.npz`; PEARL_GOLDEN_DIR names another one of the same form."""
    return Path(os.environ.get("PEARL_GOLDEN_DIR", DEFAULT_GOLDEN_DIR))


@pytest.fixture(
    params=["cpu", *[pytest.param("cuda:0", id="cuda", marks=pytest.mark.gpu)] * torch.cuda.is_available()]
)
def device(request):
    """Every device that there is, for what must be right on each; scripts/gpu_check.py runs the tests marked gpu."""
    torch.backends.cudnn.allow_tf32 = False  # as `prepare_device` has it for float32
    return torch.device(request.param)


@pytest.fixture
def place(request):
    """The launcher's words for the test's device; the CPU for a test that takes none."""
    on_gpu = "device" in request.fixturenames and request.getfixturevalue("device").type == "cuda"
    return ["--gpu", "0"] if on_gpu else ["--cpu"]


@pytest.fixture(autouse=True)
def _seeded():
    """Tests that draw without a generator of their own draw the same each time."""
    torch.manual_seed(0)
