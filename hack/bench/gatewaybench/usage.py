"""What the kernel says of a contender's processes (processor time, memory), and how many files ours may open."""

import os
import resource
from pathlib import Path

SPARE_FILES = 500
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Places behind the command's name in /proc/PID/stat (proc(5))."""


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        for task in _tasks(one):
            try:
                found += map(int, (task / "children").read_text().split())
            except FileNotFoundError:
                continue  # it ended just now
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time so far of a process and its descendants that live."""
    return sum(_of_process(one) for one in tree(pid))


def rss_mib(pid: int) -> float:
    """Resident memory of a process and its descendants; pages that they share count for each."""
    kib = 0
    for one in tree(pid):
        text = Path(f"/proc/{one}/status").read_text()
        kib += int(text.split("VmRSS:")[1].split()[0])
    return kib / 1024


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []


def _of_process(pid: int) -> float:
    """The scheduler counts in nanoseconds, where the kernel tells it; the process's own times step by 10 ms."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in _tasks(pid)) / 1e9
    except (FileNotFoundError, IndexError, OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_SECOND


def allow_open_files(streams: int) -> str | None:
    """Raise the limit of open files, ours and our children's, as far as may be; why that is not enough, if so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * streams + SPARE_FILES  # a proxy has two connections a stream
    top = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if top > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    if top < wanted:
        return (
            f"{streams} streams need {wanted} open files, the hard limit is {hard}: raise it (ulimit -Hn) and run again"
        )
    return None
