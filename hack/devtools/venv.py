"""The virtual environment that lint and tests run in: made once per set of pinned requirements, outside the checkout.

A virtual environment cannot be moved (its scripts name their interpreter), so it is built in its final folder under a
lock and counts only once its marker file is there: a killed build is thrown away by the next one.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hack.devtools.requirements import requirements

from localkube import packages
from localkube.layout import cache_dir
from localkube.report import Failure, say, step

ROOT = Path(__file__).resolve().parent.parent.parent
EXTRAS = ("operator", "server", "vln", "world", "dev")
ROS_EXTRAS = ("ros",)
MARKER = ".complete"
UNUSED_SECONDS = 24 * 3600.0
"""Another checkout may have other requirements and run by its environment at this moment."""


def environment_hash(listed: str, constraints: str, python: str) -> str:
    """Hash of all that decides what an environment contains: requirements, pins, interpreter with its version."""
    return hashlib.sha256("\0".join((listed, constraints, python)).encode()).hexdigest()[:16]


def stale(folder: Path, keep: str, now: float) -> list[Path]:
    """Environments below `folder` that were not asked for lately, or never finished; `now` is Unix time."""
    others = (path for path in folder.iterdir() if path.is_dir() and path.name != keep)
    return sorted(path for path in others if now - _used_at(path) > UNUSED_SECONDS)


def _used_at(environment: Path) -> float:
    marker = environment / MARKER
    return marker.stat().st_mtime if marker.exists() else 0.0


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], advice: str) -> None:
    # Standard output carries the answer and nothing else; what pip says is progress.
    if subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode != 0:
        raise Failure(f"{' '.join(command)} failed", advice)


def ensure(extras: Sequence[str] = EXTRAS) -> Path:
    """Make the environment of these extras where it is missing and return its python.

    Raises:
        Failure: a package cannot be had.
    """
    return _ensure("\n".join(requirements(extras)) + "\n", (ROOT / "constraints.txt").read_text())


def ensure_listed(file: Path) -> Path:
    """The same for programs of others, whose exact versions this file lists and which none of our pins concern.

    Raises:
        Failure: a package cannot be had.
    """
    return _ensure(file.read_text(), "")


def _ensure(listed: str, constraints: str) -> Path:
    interpreter = f"{Path(sys.executable).resolve()} {sys.version}"
    name = environment_hash(listed, constraints, interpreter)
    folder = cache_dir() / "venv"
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / name / "bin" / "python"
    if (folder / name / MARKER).exists():
        (folder / name / MARKER).touch()
        return python
    with _locked(folder / "lock"):
        if not (folder / name / MARKER).exists():
            _build(folder / name, listed, constraints)
        for old in stale(folder, name, time.time()):
            say(f"removing the old environment {old.name}")
            shutil.rmtree(old)
    return python


def _build(target: Path, listed: str, constraints: str) -> None:
    shutil.rmtree(target, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None:
        # Debian ships it apart; by this file its own package is known to be there.
        ensurepip = f"/usr/lib/python{sys.version_info.major}.{sys.version_info.minor}/ensurepip"
        packages.ensure({ensurepip: "python3-venv"})
    with step(f"making the Python environment {target}"):
        _run([sys.executable, "-m", "venv", str(target)], "install Python's venv module (Debian: python3-venv)")
        listing, pins = target / "requirements.txt", target / "constraints.txt"
        listing.write_text(listed)
        pins.write_text(constraints)
        install = [str(target / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        install += ["--requirement", str(listing), "--constraint", str(pins)]
        _run(install, "is a package index reachable? pip's own settings (pip.conf, PIP_*) are honoured; run it again")
        (target / MARKER).touch()


if __name__ == "__main__":
    try:
        print(ensure())
    except Failure as failure:
        sys.exit(f"\n{failure}")
    except KeyboardInterrupt:
        os._exit(130)
