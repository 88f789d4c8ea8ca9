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


@pytest.fixture(autouse=True)
def _seeded():
    """Tests that draw without a generator of their own draw the same each time."""
    torch.manual_seed(0)
