"""Kernel settings that a kubelet changes for the whole machine: written down before, put back after."""

import json
from pathlib import Path

from localkube import layout

CHANGED_BY_KUBELET = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def save(root: Path = Path("/proc/sys"), record: Path | None = None) -> None:
    """Write the present values down, unless that was done before: a second `up` must not record the changed ones."""
    record = record or layout.state_dir() / "sysctl.json"
    if record.exists():
        return
    record.parent.mkdir(parents=True, exist_ok=True)
    values = {name: (root / name).read_text().strip() for name in CHANGED_BY_KUBELET if (root / name).exists()}
    record.write_text(json.dumps(values))


def is_saved() -> bool:
    """Whether `save` was called and not yet undone: so a cluster of this state folder is there, whole or in part."""
    return (layout.state_dir() / "sysctl.json").exists()


def restore(root: Path = Path("/proc/sys"), record: Path | None = None) -> None:
    """Put back the values that `save` wrote down, and forget them."""
    record = record or layout.state_dir() / "sysctl.json"
    if not record.exists():
        return
    for name, value in json.loads(record.read_text()).items():
        if (root / name).read_text().strip() != value:
            (root / name).write_text(value)
    record.unlink()
