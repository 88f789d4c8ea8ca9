"""EventWriter: tensorboard's view of a run. It is a view: where it cannot be written, the run goes on without."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

LOGGER = logging.getLogger("pearl")


class EventWriter:
    """Writes tensorboard's event file; the first failure is said once, in one line, and ends the writing."""

    def __init__(self, folder: Path, purge_step: int | None, say: Callable[[str], None] = LOGGER.warning) -> None:
        """Write into `folder`, where steps from `purge_step` on do not count any more; `say` is told of a failure."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import: not before a run begins

        self._say = say
        self._works = True
        self._hook = threading.excepthook
        threading.excepthook = self._pass_over_own_thread
        self._writer: Any = None
        self._try(lambda: setattr(self, "_writer", SummaryWriter(str(folder), purge_step=purge_step)))

    def scalar(self, tag: str, value: float, step: int) -> None:
        self._try(lambda: self._writer.add_scalar(tag, value, step))

    def picture(self, tag: str, picture: np.ndarray, step: int) -> None:
        """`picture` is (height, width, 3)."""
        self._try(lambda: self._writer.add_image(tag, picture, step, dataformats="HWC"))

    def film(self, tag: str, gif: bytes, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        width, height = struct.unpack_from("<HH", gif, offset=6)  # behind GIF89a
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=gif)
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        self._try(lambda: self._writer._get_file_writer().add_summary(summary, step))  # add_video would need moviepy
        self.flush()

    def hyperparameters(self, settings: Mapping[str, Any], results: Mapping[str, float]) -> None:
        self._try(lambda: self._writer.add_hparams(dict(settings), dict(results), run_name="."))

    def flush(self) -> None:
        self._try(lambda: self._writer.flush())

    def close(self) -> None:
        self._try(lambda: self._writer.close())
        threading.excepthook = self._hook

    def _try(self, write: Callable[[], None]) -> None:
        if not self._works:
            return
        try:
            write()
        except Exception as error:  # a full disk, a folder that is gone, or whatever tensorboard's thread met
            self._works = False
            self._say(f"tensorboard is not written any more: {type(error).__name__}: {error}")

    def _pass_over_own_thread(self, failure: threading.ExceptHookArgs) -> None:
        """Tensorboard's thread keeps its error for the next call, which says it; it is not printed beside."""
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            self._hook(failure)
