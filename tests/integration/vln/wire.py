"""A network of its own for one robot: a namespace and a pair of virtual Ethernet ends. Cut, packets vanish without a
word in one direction or both; no reset, no error, as when a robot walks out of reach."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

SERVER, ROBOT = "10.213.7.1", "10.213.7.2"
HOOKS = {"robot to server": ("egress",), "server to robot": ("ingress",), "both ways": ("egress", "ingress")}


class NoWireError(Exception):
    """This machine cannot have one; says why."""


@dataclass(frozen=True)
class Wire:
    """The robot's side is the namespace; the server listens on `SERVER`, in the namespace of the test."""

    name: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command, it runs on the robot's side."""
        return ("ip", "netns", "exec", self.name)

    @contextlib.contextmanager
    def cut(self, direction: str) -> Iterator[None]:
        """Let packets vanish; see `HOOKS` for the directions."""
        drop = "{{ type filter hook {hook} device {name} priority 0; policy drop; }}"
        rules = ["add table netdev cut"]
        for hook in HOOKS[direction]:
            rules.append(f"add chain netdev cut drop_{hook} {drop.format(hook=hook, name=self.name)}")
        _run(*self.prefix, "nft", ";\n".join(rules))
        try:
            yield
        finally:
            _run(*self.prefix, "nft", "delete table netdev cut")


@contextlib.contextmanager
def wire() -> Iterator[Wire]:
    """A wire, taken away at the end.

    Raises:
        NoWireError: not root, or without the programs for it.
    """
    if os.geteuid() != 0:
        raise NoWireError("network namespaces need root")
    name, outer = f"qv{os.getpid()}", f"qw{os.getpid()}"
    try:
        _connect(name, outer)
        yield Wire(name)
    finally:
        # The pair goes with the namespace, but only when the kernel gets to it; the next test would meet it.
        for command in (("netns", "delete", name), ("link", "delete", outer)):
            subprocess.run(["ip", *command], capture_output=True)


def _connect(name: str, outer: str) -> None:
    try:
        _run("nft", "--version")
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", name, "netns", name)
        _run("ip", "address", "add", f"{SERVER}/30", "dev", outer)
        _run("ip", "link", "set", outer, "up")
        for command in (f"address add {ROBOT}/30 dev {name}", f"link set {name} up", "link set lo up"):
            _run("ip", "-n", name, *command.split())
    except FileNotFoundError as error:
        raise NoWireError(f"{error.filename} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise NoWireError(f"{' '.join(error.cmd)}: {error.stderr.decode().strip()}") from None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
