"""Who writes to a task by HTTP, where nobody greets: by a header, else by key and address. Pure.

Two programs with one key at one address differ by their connections, as long as they keep them open."""

from collections import Counter, deque
from dataclasses import dataclass, field

from qwen3vl_vln.errors import LeaseBusyError
from qwen3vl_vln.task.lease import QUIET_SECONDS

KEPT_ALIVE_FRAMES = 2
"""A connection that brought so many frames within the time of the lease is kept open by its program."""
PER_REQUEST_CONNECTIONS = 3
ADDRESSES_MOST = 8
ADVICE = "give each program its own X-Writer-Id"


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a frame comes from, or a connection.

    Attributes:
        key: the name of its key.
        address: of the program, as far as known.
        name: what it calls itself; empty where it does not.
        connection: tells its connection from others; None behind proxies, whose connections are nobody's own.
        proxied: an unlisted proxy brought it, so that the address is the proxy's.
    """

    key: str
    address: str
    name: str = ""
    connection: tuple[str, int] | None = None
    proxied: bool = False

    @property
    def writer(self) -> str:
        """The writer's id."""
        return self.name or self.origin

    @property
    def origin(self) -> str:
        """Key and address: by these a program is known too that names itself anew at each start."""
        return self.key if self.proxied else f"{self.key}@{self.address}"


@dataclass
class HttpWriters:
    """The frames that came to one task by HTTP.

    Attributes:
        warning: what cannot be told about them, as a sentence for people; empty if nothing.
    """

    warning: str = ""
    _frames: deque[tuple[float, str, tuple[str, int]]] = field(default_factory=deque)
    _newest: tuple[str, int] | None = None
    _addresses: dict[str, list[str]] = field(default_factory=dict)

    def admit(self, peer: Peer, now: float) -> None:
        """See that no other connection is the writer.

        Raises:
            LeaseBusyError: one is.
        """
        self._look_at_addresses(peer)
        if peer.name or peer.connection is None:
            return
        while self._frames and now - self._frames[0][0] > QUIET_SECONDS:
            self._frames.popleft()
        brought = Counter(connection for _, writer, connection in self._frames if writer == peer.writer)
        if any(count >= KEPT_ALIVE_FRAMES for connection, count in brought.items() if connection != peer.connection):
            busy = f"another connection of writer {peer.writer!r} drives this task"
            raise LeaseBusyError(f"{busy}; {ADVICE}, or wait until it is silent for {QUIET_SECONDS:g} s")
        if len(brought) >= PER_REQUEST_CONNECTIONS:
            apart = "programs at one address cannot be told apart"
            self.warning = f"writer {peer.writer!r} opens a connection for each frame: {apart}; {ADVICE}"

    def replaced(self, peer: Peer) -> bool:
        """Whether a connection that is kept open took the place of another one of the same writer that was."""
        brought = Counter(connection for _, writer, connection in self._frames if writer == peer.writer)
        kept = {connection for connection, count in brought.items() if count >= KEPT_ALIVE_FRAMES}
        return bool(kept) and peer.connection is not None and peer.connection not in kept

    def continues(self, peer: Peer) -> bool:
        """Whether this is the connection that brought the newest frame: its program still runs."""
        return peer.connection is not None and peer.connection == self._newest

    def took(self, peer: Peer, now: float) -> None:
        """A frame of that writer was taken."""
        self._newest = peer.connection
        if not peer.name and peer.connection is not None:
            self._frames.append((now, peer.writer, peer.connection))

    def _look_at_addresses(self, peer: Peer) -> None:
        known = self._addresses.setdefault(peer.key, [])
        if peer.name or peer.address in known or len(known) >= ADDRESSES_MOST:
            return
        known.append(peer.address)
        if len(known) > 1:
            count = "its programs count as one writer" if peer.proxied else "each of them counts as a writer"
            where = f"frames of key {peer.key!r} come from {', '.join(known)}"
            self.warning = f"{where}: {count}; {ADVICE}, and list proxies with --trusted-proxies"
