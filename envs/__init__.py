"""Task families of meta-reinforcement learning on gymnasium, MuJoCo and numpy; knows nothing of PEARL.

Importing this package registers the families with gymnasium, as `PearlMeta/...` ids.
"""

from envs import mujoco_import  # noqa: F401 - before all that import mujoco
from envs.base import MetaEnv
from envs.catalogue import FAMILIES
from envs.family import TaskFamily
from envs.registry import is_native, make_env, register_env
from envs.single import SingleEnv, register_ids
from envs.types import Task

__all__ = ["FAMILIES", "MetaEnv", "SingleEnv", "Task", "TaskFamily", "is_native", "make_env", "register_env"]

register_ids()
