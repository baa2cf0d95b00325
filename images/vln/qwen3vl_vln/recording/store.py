"""The folder of recordings: names, sizes, which may be removed, and ends of files that were cut off. No MCAP library:
also the process that answers robots looks here.

`<folder>/<task>/<start>-<n>.mcap`: `start` is the UTC time at which a recording began, `n` counts its files."""

import contextlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAGIC = b"\x89MCAP0\r\n"
"""Begins and ends every whole file: https://mcap.dev/spec"""
SUFFIX = ".mcap"
_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_FILE = re.compile(r"(\d{8}T\d{6}Z)-\d{1,6}\.mcap")
_RECORD_HEAD = struct.Struct("<BQ")
_DATA_END = struct.pack("<BQI", 0x0F, 4, 0)
_FOOTER_WITHOUT_SUMMARY = struct.pack("<BQQQI", 0x02, 20, 0, 0, 0)


@dataclass(frozen=True)
class Listed:
    """A file of a recording.

    Attributes:
        begin: UTC, as in its name.
        whole: it is finished; else it is being written, or its writer was killed.
    """

    name: str
    size_bytes: int
    begin: str
    whole: bool


def task_folder(folder: Path, task_id: str) -> Path | None:
    """Where the recordings of a task lie; None for an id that is no name of a folder."""
    return folder / task_id if _TASK.fullmatch(task_id) else None


def file_of(folder: Path, task_id: str, name: str) -> Path | None:
    """A file of a recording, None when there is none of that name."""
    of_task = task_folder(folder, task_id)
    if of_task is None or not _FILE.fullmatch(name):
        return None
    path = of_task / name
    return path if path.is_file() and not path.is_symlink() else None


def listed(folder: Path, task_id: str) -> list[Listed] | None:
    """The files of a task, the oldest first; None when it has no folder."""
    of_task = task_folder(folder, task_id)
    if of_task is None or not of_task.is_dir():
        return None
    found = []
    for path in sorted(of_task.iterdir(), key=lambda path: _order(path.name)):
        if named := _FILE.fullmatch(path.name):
            with contextlib.suppress(OSError):  # removed meanwhile
                found.append(Listed(path.name, path.stat().st_size, named[1], is_whole(path)))
    return found


def is_whole(path: Path) -> bool:
    """Whether the file has its end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(MAGIC)))
        return size > 2 * len(MAGIC) and file.read() == MAGIC


def repair(path: Path) -> bool:
    """Give a file that was cut off an end, behind its last whole record; False when nothing in it can be kept.

    Raises:
        OSError: the disk does not let it.
    """
    with path.open("r+b") as file:
        size, at = file.seek(0, 2), len(MAGIC)
        file.seek(0)
        if file.read(at) != MAGIC:
            return False
        while at + _RECORD_HEAD.size <= size:
            file.seek(at)
            kind, length = _RECORD_HEAD.unpack(file.read(_RECORD_HEAD.size))
            if kind in (0, _DATA_END[0], _FOOTER_WITHOUT_SUMMARY[0]) or at + _RECORD_HEAD.size + length > size:
                break
            at += _RECORD_HEAD.size + length
        file.truncate(at)
        file.seek(at)
        file.write(_DATA_END + _FOOTER_WITHOUT_SUMMARY + MAGIC)
    return True


@dataclass
class RecordingStore:
    """Keeps the sum of all files below a bound by removing the oldest finished ones.

    Attributes:
        max_bytes: of all files together.
    """

    folder: Path
    max_bytes: int
    # Text, for there may be tens of thousands of them.
    _finished: dict[str, int] = field(default_factory=dict)
    _finished_bytes: int = 0
    _open: dict[Path, int] = field(default_factory=dict)

    def scan(self) -> None:
        """Count what lies there; what was cut off gets its end.

        Raises:
            OSError: the folder cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._files(), key=lambda path: (path.stat().st_mtime, path.name)):
            with contextlib.suppress(OSError):  # such a file stays as it is
                if is_whole(path) or repair(path):
                    self._keep(path, path.stat().st_size)
                else:
                    path.unlink()
        self.make_room(0)

    def _files(self) -> Iterator[Path]:
        for of_task in self.folder.iterdir():
            if _TASK.fullmatch(of_task.name) and of_task.is_dir() and not of_task.is_symlink():
                yield from (path for path in of_task.iterdir() if _FILE.fullmatch(path.name))

    @property
    def total_bytes(self) -> int:
        return self._finished_bytes + sum(self._open.values())

    @property
    def open_files(self) -> int:
        return len(self._open)

    def add(self, task_id: str, start: str) -> Path:
        """The path of a task's next file.

        Raises:
            OSError: no folder can be made, or the task's id is no name of a folder.
        """
        of_task = task_folder(self.folder, task_id)
        if of_task is None:
            raise OSError(f"{task_id!r} is no name of a folder")
        of_task.mkdir(exist_ok=True)
        number = 1 + max((_order(path.name)[1] for path in of_task.glob(f"{start}-*{SUFFIX}")), default=-1)
        path = of_task / f"{start}-{number}{SUFFIX}"
        self._open[path] = 0
        return path

    def grew(self, path: Path, size_bytes: int) -> None:
        """An open file has this size now."""
        self._open[path] = size_bytes
        self.make_room(0)

    def done(self, path: Path, size_bytes: int) -> None:
        """A file is not written any more."""
        self._open.pop(path, None)
        self._keep(path, size_bytes)
        self.make_room(0)

    def _keep(self, path: Path, size_bytes: int) -> None:
        self._finished_bytes += size_bytes - self._finished.get(str(path), 0)
        self._finished[str(path)] = size_bytes

    def make_room(self, size_bytes: int) -> bool:
        """Remove the oldest finished files until so much more fits; whether it does."""
        while self.total_bytes + size_bytes > self.max_bytes and self._finished:
            oldest = next(iter(self._finished))
            path = Path(oldest)
            self._finished_bytes -= self._finished.pop(oldest)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()  # stays while there is another file
        return self.total_bytes + size_bytes <= self.max_bytes


def _order(name: str) -> tuple[str, int]:
    start, _, number = name.removesuffix(SUFFIX).rpartition("-")
    return start, int(number) if number.isdecimal() else -1
