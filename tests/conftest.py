"""Where the golden numbers are, and fixtures shared by the tests."""

import os
from pathlib import Path

import pytest

DEFAULT_GOLDEN_DIR = Path(__file__).parent / "data" / "golden"


@pytest.fixture(scope="session")
def golden_dir():
    """Folder with `env/*.npz` and `update/*.npz`; PEARL_GOLDEN_DIR names another one of the same form."""
    return Path(os.environ.get("PEARL_GOLDEN_DIR", DEFAULT_GOLDEN_DIR))
