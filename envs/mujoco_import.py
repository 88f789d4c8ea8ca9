"""The first import of MuJoCo, which reads MUJOCO_GL and may fail by it: that matters only when something is drawn."""

from __future__ import annotations

import os


def import_mujoco() -> None:
    """Import MuJoCo, without OpenGL where the one that MUJOCO_GL names cannot be had; `envs.rendering` says so."""
    asked = os.environ.get("MUJOCO_GL")
    try:
        import mujoco
    except Exception:  # missing libraries and wrong names show as many types
        if asked is None:
            raise
        os.environ["MUJOCO_GL"] = "off"
        try:
            import mujoco  # noqa: F401
        finally:
            os.environ["MUJOCO_GL"] = asked


import_mujoco()
