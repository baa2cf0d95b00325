"""The cluster's network namespace and the one link that joins it to the host.

kube-proxy's rules, the pods' bridge and every port stay inside; the host gets routes to pods and services through the
link, so that tests reach them directly."""

import subprocess
from pathlib import Path

from localkube.layout import (
    HOST_ADDRESS,
    HOST_LINK,
    LINK_PREFIX,
    NETNS,
    NODE_ADDRESS,
    NODE_LINK,
    POD_CIDR,
    SERVICE_CIDR,
    netns_path,
)
from localkube.report import Failure


def run(*command: str, check: bool = True) -> str:
    """Run a command and give its output.

    Raises:
        Failure: it failed and `check` is set.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}", "this needs root")
    return done.stdout


def inside(*command: str) -> list[str]:
    """The command as run inside the cluster's network namespace."""
    return ["nsenter", f"--net={netns_path()}", *command]


def exists() -> bool:
    """Whether the namespace is there and can be entered (a reboot leaves no, a crash an unmounted file)."""
    return netns_path().exists() and subprocess.run(inside("true"), capture_output=True).returncode == 0


def ensure() -> None:
    """Make the namespace, the link and the routes where they are missing."""
    if not exists():
        netns_path().unlink(missing_ok=True)
        run("ip", "netns", "add", NETNS)
    if not _has_link():
        run("ip", "link", "del", HOST_LINK, check=False)
        run("ip", "link", "add", HOST_LINK, "type", "veth", "peer", "name", NODE_LINK, "netns", NETNS)
    run("ip", "addr", "replace", f"{HOST_ADDRESS}/{LINK_PREFIX}", "dev", HOST_LINK)
    run("ip", "link", "set", HOST_LINK, "up")
    run("ip", "-n", NETNS, "link", "set", "lo", "up")
    run("ip", "-n", NETNS, "addr", "replace", f"{NODE_ADDRESS}/{LINK_PREFIX}", "dev", NODE_LINK)
    run("ip", "-n", NETNS, "link", "set", NODE_LINK, "up")
    run("ip", "-n", NETNS, "route", "replace", "default", "via", HOST_ADDRESS)
    run(*inside("sysctl", "-qw", "net.ipv4.ip_forward=1"))
    for cidr in (POD_CIDR, SERVICE_CIDR):
        run("ip", "route", "replace", cidr, "via", NODE_ADDRESS)


def _has_link() -> bool:
    host = run("ip", "-o", "link", "show", HOST_LINK, check=False)
    return bool(host) and bool(run("ip", "-n", NETNS, "-o", "link", "show", NODE_LINK, check=False))


def remove() -> None:
    """Remove the link (its routes go with it) and the namespace."""
    run("ip", "link", "del", HOST_LINK, check=False)
    if netns_path().exists():
        run("ip", "netns", "del", NETNS, check=False)
    folder = netns_path().parent
    # `ip netns add` mounts the folder onto itself once; with no namespace left in it nobody needs that.
    # Path.is_mount() does not see a bind mount on the same file system.
    mounted = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    if str(folder) in mounted and not any(folder.iterdir()):
        run("umount", str(folder), check=False)
