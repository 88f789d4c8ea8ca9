"""MultiTaskReplayBuffer: the transitions of all tasks in one float32 structure on the training device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlkit.data_management.path_table import PathTable
from rlkit.data_management.tables import DeviceTable, draw_below
from rlkit.util.records import Batch, Dims, FloatArray, IndexArray, Paths, context_columns

GROWTH = 1.125  # the storage is enlarged by this factor: memory stays near what is stored


class MultiTaskReplayBuffer:
    """A ring of transitions per task, all in pages of one growing array.

    A transition is one row: what the encoder reads (`context_columns`), then terminal and, where the environment
    gives it, sparse reward. A task's rows lie in pages that it takes as its data grow and gives back when it is
    cleared; sampling for many tasks is one look-up in the page table and one gather.

    Attributes:
        columns: where each part of a transition lies in a row.
    """

    def __init__(
        self,
        num_tasks: int,
        obs_dim: int,
        action_dim: int,
        *,
        capacity: int,
        page_size: int,
        has_sparse_reward: bool,
        device: torch.device,
    ) -> None:
        """An empty buffer.

        Args:
            num_tasks: tasks are the indices below it.
            obs_dim, action_dim: sizes of one observation and action.
            capacity: transitions kept per task; the oldest are overwritten.
            page_size: rows that a task takes at a time; the usual length of a path wastes least.
            has_sparse_reward: whether paths carry a sparse reward to keep.
            device: where the rows are.
        """
        self._dims = Dims(obs_dim, action_dim)
        self.capacity, self.page_size = capacity, min(page_size, capacity)
        self.has_sparse_reward = has_sparse_reward
        self.device = device
        self._columns = (*context_columns(use_next_obs=True), *("terminal", "sparse_reward")[: 1 + has_sparse_reward])
        self._widths = [self._dims.of(name) for name in self._columns]
        self.width = sum(self._widths)
        ends = np.cumsum(self._widths).tolist()
        self.columns = {
            name: slice(end - self._dims.of(name), end) for name, end in zip(self._columns, ends, strict=True)
        }
        self._rows = torch.empty(0, self.width, device=device)
        self._rows_version = 0
        self._free_pages: list[int] = []
        self._pages: list[list[int]] = [[] for _ in range(num_tasks)]
        self._added = np.zeros(num_tasks, dtype=np.int64)  # since the last clear, overwritten ones included
        self._paths = PathTable(num_tasks, capacity, device)
        self._host_table = np.zeros((num_tasks, 1), dtype=np.int64)
        self._page_table = DeviceTable(self._host_table, device)
        self._sizes = DeviceTable(self._added, device)

    # ---- contents ----------------------------------------------------------------------------------------

    def size(self, task: int) -> int:
        """Transitions that `task` holds."""
        return int(min(self._added[task], self.capacity))

    def num_bytes(self) -> int:
        """Memory in use, tables included."""
        return sum(tensor.nbytes for tensor in self._tensors())

    @property
    def version(self) -> int:
        """Grows whenever anything that sampling reads is allocated anew: what was captured before is stale then."""
        return self._rows_version + self._page_table.version + self._sizes.version + self._paths.version

    def _tensors(self) -> tuple[Tensor, ...]:
        return (self._rows, self._page_table.tensor, self._sizes.tensor, *self._paths.tensors)

    def add(self, paths: Paths) -> None:
        """Append the paths to their tasks' rings, in the order of the lanes."""
        self.add_rows(paths.task, paths.length, self.pack(paths))

    def add_rows(self, task: IndexArray, length: IndexArray, rows: FloatArray) -> None:
        """Append paths of `task` (paths,) and `length` (paths,), as `pack` makes rows of them."""
        position = np.concatenate([self._claim(*path) for path in zip(task, length, strict=True)])
        self._sync()
        slots = self._slots(np.repeat(task, length), position)
        # a task that gets more than its capacity at once keeps the last rows
        last = len(slots) - 1 - np.unique(slots[::-1], return_index=True)[1]
        self._rows[torch.from_numpy(slots[last]).to(self.device)] = torch.from_numpy(rows[last]).to(self.device)

    def clear(self, tasks: IndexArray) -> None:
        for task in tasks:
            self._free_pages += self._pages[task]
            self._pages[task] = []
            self._added[task] = 0
            self._paths.clear(task)
        self._sync()

    def _claim(self, task: int, length: int) -> IndexArray:
        """Ring positions of `length` new transitions of `task`, with the pages that they need."""
        start = self._added[task]
        self._added[task] += length
        self._paths.append(task, length)
        num_pages = -(-self.size(task) // self.page_size)
        while len(self._pages[task]) < num_pages:
            self._pages[task].append(self._take_page())
        return np.arange(start, start + length) % self.capacity

    def _take_page(self) -> int:
        if not self._free_pages:
            old = self._rows.shape[0] // self.page_size
            new = max(old + 1, int(old * GROWTH))
            rows = torch.empty(new * self.page_size, self.width, device=self.device)
            rows[: self._rows.shape[0]] = self._rows
            self._rows = rows
            self._rows_version += 1
            self._free_pages = list(reversed(range(old, new)))
        return self._free_pages.pop()

    def _sync(self) -> None:
        """Bring page table and sizes to the device."""
        table = np.zeros((len(self._pages), max(1, *(len(pages) for pages in self._pages))), dtype=np.int64)
        for task, pages in enumerate(self._pages):
            table[task, : len(pages)] = pages
        self._host_table = table
        self._page_table.write(table)
        self._sizes.write(np.minimum(self._added, self.capacity))
        self._paths.sync()

    def _slots(self, task: IndexArray, position: IndexArray) -> IndexArray:
        page, row = np.divmod(position, self.page_size)
        return self._host_table[task, page] * self.page_size + row

    def pack(self, paths: Paths) -> FloatArray:
        """The steps of all lanes as rows, lane after lane."""
        assert not self.has_sparse_reward or paths.sparse_reward is not None, "paths lack the sparse reward to keep"
        valid, fields = paths.valid(), paths._asdict()
        columns = [
            fields[name][valid].reshape(-1, width) for name, width in zip(self._columns, self._widths, strict=True)
        ]
        return np.concatenate(columns, axis=1)

    # ---- sampling ----------------------------------------------------------------------------------------

    def sample(self, tasks: Tensor, num: int, generator: torch.Generator) -> Batch:
        """`num` transitions of each of `tasks` (k,), drawn with replacement, for actor and critics."""
        return self._batch(self._rows_at(tasks, self._draw_positions(tasks, num, generator)))

    def sample_context(
        self,
        tasks: Tensor,
        num: int,
        generator: torch.Generator,
        *,
        use_next_obs: bool,
        sparse: bool,
        whole_paths: bool = False,
    ) -> Tensor:
        """`num` transitions of each of `tasks` (k,), drawn with replacement, for the encoder: (k, num, context_dim).

        `sparse` puts the sparse reward in the place of the dense one. `whole_paths` draws whole paths, one after
        the other in the order of their steps, of which the last is cut.
        """
        if whole_paths:
            position = self._paths.draw_positions(tasks, num, generator)
        else:
            position = self._draw_positions(tasks, num, generator)
        return self._context(self._rows_at(tasks, position), use_next_obs=use_next_obs, sparse=sparse)

    def sample_with_context(
        self,
        tasks: Tensor,
        num: int,
        num_context: int,
        generator: torch.Generator,
        *,
        use_next_obs: bool,
        sparse: bool,
    ) -> tuple[Batch, Tensor]:
        """A batch as of `sample`, and the first `num_context` of its transitions as of `sample_context`."""
        rows = self._rows_at(tasks, self._draw_positions(tasks, num, generator))
        context = rows[:, :num_context].clone()  # the critics' reward stays dense
        return self._batch(rows), self._context(context, use_next_obs=use_next_obs, sparse=sparse)

    def _batch(self, rows: Tensor) -> Batch:
        columns = dict(zip(self._columns, rows.split(self._widths, dim=-1), strict=True))
        return Batch(**{name: columns[name] for name in Batch._fields})

    def _context(self, rows: Tensor, *, use_next_obs: bool, sparse: bool) -> Tensor:
        """What the encoder reads of `rows`, which are overwritten."""
        if sparse:
            assert self.has_sparse_reward, "the buffer keeps no sparse reward"
            rows[..., self.columns["reward"]] = rows[..., self.columns["sparse_reward"]]
        return rows[..., : self._dims.context(use_next_obs)]

    def _draw_positions(self, tasks: Tensor, num: int, generator: torch.Generator) -> Tensor:
        """`num` positions in each of the rings of `tasks` (k,), with replacement, (k, num)."""
        return draw_below(self._sizes.tensor[tasks], num, generator)

    def _rows_at(self, tasks: Tensor, position: Tensor) -> Tensor:
        """The rows at ring positions `position` (k, num) of `tasks` (k,), (k, num, width)."""
        page = self._page_table.tensor[tasks.unsqueeze(1), position // self.page_size]
        slots = page * self.page_size + position % self.page_size
        return self._rows.index_select(0, slots.view(-1)).view(*position.shape, self.width)
