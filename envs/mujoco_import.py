"""The first import of MuJoCo, which reads MUJOCO_GL and may fail by it: that matters only when something is drawn.

So MuJoCo is imported without OpenGL where the one that MUJOCO_GL names cannot be had; `envs.rendering` says so then.
"""

from __future__ import annotations

import os

try:
    import mujoco
except Exception:  # missing libraries and wrong names show as many types
    asked = os.environ.get("MUJOCO_GL")
    if asked is None:
        raise
    os.environ["MUJOCO_GL"] = "off"
    try:
        import mujoco  # noqa: F401
    finally:
        os.environ["MUJOCO_GL"] = asked
