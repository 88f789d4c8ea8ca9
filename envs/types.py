"""Types that the package's modules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]
Frame = NDArray[np.uint8]
Info = dict[str, Any]
Task: TypeAlias = dict[str, Any]
"""One task as plain numbers (or nested lists of them) by name: `json.dump` saves it."""
TaskArrays: TypeAlias = Mapping[str, NDArray[Any]]
"""One task, its entries as arrays."""
EnvClass: TypeAlias = Callable[..., Any]
"""What makes an environment, as a rule its class."""
Rng: TypeAlias = np.random.Generator | np.random.RandomState
AnyBox: TypeAlias = "spaces.Box[Any]"
