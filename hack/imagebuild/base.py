"""A base image from distribution packages, for machines that reach no registry of images: Debian's Python,
certificates, the viewers' font, no more. It has no pip; Dockerfiles make a venv, which works with hub images too."""

import hashlib
import os
import subprocess
from pathlib import Path

from localkube.report import Failure

SUITE = "bookworm"
NAME = "localhost/base/python"
TAG = "3.11-slim"
EPOCH = "1735689600"
PACKAGES = ("python3", "python3-venv", "ca-certificates", "fonts-wqy-microhei")
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
# Byte code that names its source by time would be stale after the times are clamped, and every start would compile.
COMPILE = (
    'chroot "$1" python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3 /usr/lib/python3.11'
)
HOOKS = (
    'rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    'ln -sf python3 "$1"/usr/bin/python',
    COMPILE,
    'rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/log/*.log "$1"/var/log/apt/*',
    'rm -f "$1"/var/cache/ldconfig/aux-cache',
)
CONTAINERFILE = 'FROM scratch\nADD rootfs.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8\nCMD ["python3"]\n'


def recipe_hash() -> str:
    """Hash of all that decides the base's content but the state of the distribution's mirror."""
    recipe = (SUITE, EPOCH, PACKAGES, EXCLUDED, HOOKS, CONTAINERFILE)
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def command(target: Path, apt_options: list[str]) -> list[str]:
    """The mmdebstrap command that writes the root file system to `target`."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={path}" for path in EXCLUDED),
        *(f"--aptopt={option}" for option in apt_options),
        *(f"--customize-hook={hook}" for hook in HOOKS),
        SUITE,
        str(target),
    ]


def host_apt_options() -> list[str]:
    """How this machine's apt reaches its mirror (proxies, certificates, dates); removed from the image by a hook."""
    done = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True)
    lines = (line.strip() for line in done.stdout.splitlines())
    return [line.rstrip(";") for line in lines if line.startswith(("Acquire::http", "Acquire::Check"))]


def make_root(target: Path, log: Path) -> None:
    """Write the base's root file system as a tar file.

    Raises:
        Failure: the distribution's mirror cannot be reached, or a package failed to install.
    """
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH}
    with log.open("wb") as sink:
        arguments = command(target, host_apt_options())
        done = subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    if done.returncode != 0:
        raise Failure(
            "making the base image failed", "is a Debian mirror reachable (apt-get update)? run it again", log
        )
