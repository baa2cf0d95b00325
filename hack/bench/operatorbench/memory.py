"""The memory limit of a container for one process: a cgroup's where one can be made, else looked after by polling."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILES = {"cgroup v2": "memory.max", "cgroup v1": "memory.limit_in_bytes"}
_ENTER = 'echo $$ >"$0" && exec "$@"'


@dataclass(frozen=True)
class MemoryLimit:
    """A limit in bytes; `by` says what keeps it: `cgroup v2`, `cgroup v1` or `polling`."""

    limit_bytes: int
    by: str
    group: Path | None = None

    def command(self, command: list[str]) -> list[str]:
        """The command, made to enter the cgroup before it begins."""
        return command if self.group is None else ["sh", "-c", _ENTER, str(self.group / "cgroup.procs"), *command]


def roots(mounts: str) -> Iterator[tuple[str, Path]]:
    """Mounted cgroup trees that may limit memory, version 2 first.

    Args:
        mounts: text of /proc/mounts.
    """
    found = [line.split() for line in mounts.splitlines()]
    yield from (("cgroup v2", Path(words[1])) for words in found if words[2] == "cgroup2")
    yield from (
        ("cgroup v1", Path(words[1])) for words in found if words[2] == "cgroup" and "memory" in words[3].split(",")
    )


def _make(by: str, root: Path, limit_bytes: int) -> MemoryLimit | None:
    group = root / f"qwen3vl-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        # Version 2 has this file only where the tree above passes the memory controller on.
        with (group / _FILES[by]).open("r+") as limit:
            limit.write(str(limit_bytes))
    except OSError:
        group.rmdir()
        return None
    return MemoryLimit(limit_bytes, by, group)


@contextlib.contextmanager
def memory_limit(limit_bytes: int) -> Iterator[MemoryLimit]:
    """The best limit that this machine lets us set; its cgroup goes with the block."""
    made = None
    for by, root in roots(Path("/proc/mounts").read_text()):
        made = made or _make(by, root, limit_bytes)
    limit = made or MemoryLimit(limit_bytes, "polling")
    try:
        yield limit
    finally:
        if limit.group is not None:
            _remove(limit.group)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            group.rmdir()
        except OSError:  # the kernel has not let go of a process that has ended
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
