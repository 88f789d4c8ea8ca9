"""PathTable: where the paths of each task begin and end in its ring, so that whole ones can be drawn."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlkit.data_management.tables import DeviceTable, draw_below


class PathTable:
    """Bounds of the paths that a ring of transitions holds, kept on the host and copied to the device.

    Positions count the transitions of a task since it was cleared; modulo the capacity they are places in the ring.
    A path is forgotten once a part of it is overwritten, but of a path longer than the ring the rest that is
    left counts as one.
    """

    def __init__(self, num_tasks: int, capacity: int, device: torch.device) -> None:
        self._capacity, self._device = capacity, device
        self._host_bounds = np.zeros((num_tasks, 2), dtype=np.int64)  # each path's start, then the last one's end
        self._host_count = np.zeros(num_tasks, dtype=np.int64)
        self._bounds, self._count = DeviceTable(self._host_bounds, device), DeviceTable(self._host_count, device)

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """What is on the device: bounds and counts."""
        return self._bounds.tensor, self._count.tensor

    @property
    def version(self) -> int:
        """Grows whenever one of `tensors` is allocated anew."""
        return self._bounds.version + self._count.version

    def append(self, task: int, length: int) -> None:
        """`task` gets a path of `length` transitions, which overwrites its oldest ones."""
        count = self._host_count[task]
        if count + 1 == self._host_bounds.shape[1]:
            self._host_bounds = np.pad(self._host_bounds, ((0, 0), (0, count + 1)))
        bounds = self._host_bounds[task]
        bounds[count + 1] = bounds[count] + length
        oldest = bounds[count + 1] - self._capacity
        first = min(int(np.searchsorted(bounds[: count + 1], oldest)), count)
        if first:
            bounds[: count + 2 - first] = bounds[first : count + 2]
        bounds[0] = max(bounds[0], oldest)
        self._host_count[task] = count + 1 - first

    def clear(self, task: int) -> None:
        self._host_bounds[task] = 0
        self._host_count[task] = 0

    def sync(self) -> None:
        self._bounds.write(self._host_bounds)
        self._count.write(self._host_count)

    def draw_positions(self, tasks: Tensor, num: int, generator: torch.Generator) -> Tensor:
        """Ring positions of `num` transitions of each of `tasks` (k,): paths drawn with replacement, (k, num).

        The paths follow one another, each with its steps in order; the last one is cut. All of it is tensor
        operations of fixed sizes: `num` paths are drawn, the number needed if each had one step.
        """
        bounds, count = self.tensors
        path = draw_below(count[tasks], num, generator)
        row = tasks.unsqueeze(1)
        start, end = bounds[row, path], bounds[row, path + 1]
        drawn_before = (end - start).cumsum(dim=1)  # transitions up to and with each drawn path
        step = torch.arange(num, device=self._device).expand(len(tasks), num).contiguous()
        which = torch.searchsorted(drawn_before, step, right=True)
        return (end.gather(1, which) - drawn_before.gather(1, which) + step) % self._capacity
