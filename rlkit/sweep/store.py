"""Run folders in an object store, for machines that share no folder: copied there while runs train, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pyarrow import ArrowInvalid, fs

from rlkit.runs.checkpoint import FOLDER as CHECKPOINTS
from rlkit.runs.folder import STATUS_FILE, RunFolder
from rlkit.runs.lock import LOCK_FILE
from rlkit.util.errors import UserError

LEFT_OUT = (LOCK_FILE, ".tmp")  # ends of names
PROBE = ".can-be-written"
ENV_STUDY_RUN = 3  # the last names of a run's folder, by which it is kept


class Store:
    """A place that pyarrow can write: s3://, gs://, hdfs://, file://, with what the environment says of access."""

    def __init__(self, uri: str) -> None:
        """Nothing is touched yet.

        Raises:
            UserError: pyarrow knows no such place.
        """
        try:
            self._system, self._root = fs.FileSystem.from_uri(uri)
        except (ArrowInvalid, OSError, NotImplementedError) as error:
            raise UserError(f"--storage {uri}: {str(error).splitlines()[0]}") from None
        self._uri = uri
        self._kept: dict[str, tuple[int, int]] = {}

    def require_writable(self) -> None:
        """See that it can be written.

        Raises:
            UserError: it cannot.
        """
        try:
            self._system.create_dir(self._root, recursive=True)
            with self._system.open_output_stream(f"{self._root}/{PROBE}") as file:
                file.write(b"yes")
            self._system.delete_file(f"{self._root}/{PROBE}")
        except OSError as error:
            raise UserError(f"--storage {self._uri}: cannot be written: {str(error).splitlines()[0]}") from None

    def keep(self, folder: Path) -> None:
        """Copy what is new in a run's folder.

        Checkpoints go first and status.json last: whenever it ends, there is a checkpoint in the store that the files
        beside it go with. Old ones are removed when all else is there.
        """
        place = self._place(folder)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(LEFT_OUT)]
        for path in sorted(files, key=lambda path: (path.parent.name != CHECKPOINTS, path.name == STATUS_FILE)):
            target = f"{place}/{path.relative_to(folder).as_posix()}"
            try:
                info = path.stat()
                stamp = (info.st_mtime_ns, info.st_size)
                if self._kept.get(target) != stamp:
                    self._copy(path, target)
                    self._kept[target] = stamp
            except FileNotFoundError:  # a checkpoint that is too old by now
                continue
        here = {path.name for path in folder.glob(f"{CHECKPOINTS}/*")}
        for info in self._list(f"{place}/{CHECKPOINTS}"):
            if info.base_name not in here:
                self._system.delete_file(info.path)

    def fetch(self, folder: Path) -> None:
        """Make a run's folder as it is in the store, where the store's is further."""
        place = self._place(folder)
        files = self._list(place)
        status = f"{place}/{STATUS_FILE}"
        if status not in [info.path for info in files]:
            return
        with self._system.open_input_stream(status) as file:
            iteration = json.loads(file.read())["iteration"]
        if folder.exists() and RunFolder(folder).status.iteration >= iteration:
            return
        draft = folder.with_name(f".{folder.name}.fetched")
        shutil.rmtree(draft, ignore_errors=True)
        for info in files:
            target = draft / Path(info.path).relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.copy_files(info.path, str(target), self._system, fs.LocalFileSystem())
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)

    def _copy(self, path: Path, target: str) -> None:
        self._system.create_dir(target.rpartition("/")[0], recursive=True)
        fs.copy_files(str(path), target, fs.LocalFileSystem(), self._system)

    def _list(self, place: str) -> list[fs.FileInfo]:
        found = self._system.get_file_info(fs.FileSelector(place, allow_not_found=True, recursive=True))
        return [info for info in found if info.type == fs.FileType.File]

    def _place(self, folder: Path) -> str:
        return "/".join([self._root.rstrip("/"), *folder.parts[-ENV_STUDY_RUN:]])
