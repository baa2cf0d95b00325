"""Long-running programs that outlive the command that started them.

Each is known by a record that cannot mistake a stranger for it: process id, start time since boot, boot id. Nothing is
ever ended by name."""

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from localkube.layout import netns_path, state_dir
from localkube.report import Failure

_START_TIME_FIELD = 19
"""Index of `starttime` behind the command name in /proc/PID/stat (proc(5), field 22)."""


@dataclass(frozen=True)
class Record:
    """One started process; `start_ticks` and `boot_id` make the process id unmistakable."""

    pid: int
    start_ticks: int
    boot_id: str


def boot_id(proc: Path = Path("/proc")) -> str:
    """The kernel's name for this boot."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int | None:
    """When the process started, in ticks since boot; None when there is none, or only a zombie."""
    try:
        behind_name = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if behind_name[0] in "ZX" else int(behind_name[_START_TIME_FIELD])


def is_alive(record: Record, proc: Path = Path("/proc")) -> bool:
    """Whether exactly this process still runs: a process id used again by another is not it."""
    return record.boot_id == boot_id(proc) and record.start_ticks == start_ticks(record.pid, proc)


def _record_path(name: str) -> Path:
    return state_dir() / "pid" / f"{name}.json"


def log_path(name: str) -> Path:
    """Where this program's output goes."""
    return state_dir() / "log" / f"{name}.log"


def find(name: str) -> Record | None:
    """The running process of that name, if there is one."""
    try:
        record = Record(**json.loads(_record_path(name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return record if is_alive(record) else None


def start(name: str, arguments: list[str], *, environment: dict[str, str] | None = None) -> None:
    """Start a program inside the cluster's network namespace, in a session of its own, unless it runs already.

    nsenter and not `ip netns exec`: the latter mounts a new /sys, which hides the cgroups.
    """
    if find(name):
        return
    for path in (_record_path(name), log_path(name)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with log_path(name).open("ab") as log:
        process = subprocess.Popen(
            ["nsenter", f"--net={netns_path()}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
        )
    ticks = start_ticks(process.pid)
    if ticks is None:
        raise Failure(f"{name} ended at once", "see its log", log_path(name))
    _record_path(name).write_text(json.dumps(asdict(Record(process.pid, ticks, boot_id()))))


def stop(name: str, *, patience_seconds: float = 5) -> None:
    """End the program of that name: politely, then by force."""
    record = find(name)
    if record is not None:
        for number, patience in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
            os.kill(record.pid, number)
            if _wait_gone(record, patience):
                break
        else:
            raise Failure(f"{name} (process {record.pid}) does not end", "look at it with ps; it may wait for a disk")
    _record_path(name).unlink(missing_ok=True)


def _wait_gone(record: Record, patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        if not is_alive(record):
            return True
        with contextlib.suppress(ChildProcessError):  # started by an earlier command: not our child to reap
            os.waitpid(record.pid, os.WNOHANG)
        time.sleep(0.05)
    return not is_alive(record)
