"""The distribution's part of a node: programs that come as Debian packages."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from localkube.report import Failure, step

NODE_PACKAGES: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "socat": "socat",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
}
"""What must be there, a program on PATH or a file, and the package that brings it."""


def missing(packages: Mapping[str, str]) -> list[str]:
    """Names of the packages whose program is not there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    found = {wanted: Path(wanted).exists() or shutil.which(wanted, path=path) is not None for wanted in packages}
    return sorted({packages[wanted] for wanted, there in found.items() if not there})


def ensure(packages: Mapping[str, str]) -> None:
    """Install what is missing with apt-get.

    Raises:
        Failure: not Debian, not root, or a package cannot be had.
    """
    wanted = missing(packages)
    if not wanted:
        return
    if shutil.which("apt-get") is None:
        raise Failure(f"missing: {', '.join(wanted)}", "install these with your distribution's package manager")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Services of packages must not start: the cluster runs its own containerd. Without systemd nothing starts anyway.
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *wanted]
    with step(f"installing {', '.join(wanted)}"):
        for command in (["apt-get", "update", "--quiet"], install):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(
                    f"{' '.join(command)} failed:\n{done.stderr[-1500:]}",
                    "run it by hand as root; the machine must reach its Debian mirror",
                )
