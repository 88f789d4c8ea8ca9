"""A process of AsyncVectorEnv: it runs one copy, and lives as long as the process that it works for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

Env = TypeVar("Env")


def make_in_worker(make: Callable[[], Env], main_process: int) -> Env:
    """What `make` makes; a process other than `main_process` (its id) first learns when to end.

    A forked process inherits what the main one does on a signal, which may be to take note and go on. It is the main
    process that a signal is for: an interrupt, which a terminal sends to all of them, is left to it; it ends the
    others by a message or by SIGTERM, and if it is killed they end by themselves.
    """
    if os.getpid() != main_process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=_end_with_parent, daemon=True).start()
    return make()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by multiprocessing"
    parent.join()
    os._exit(1)
