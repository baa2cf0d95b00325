"""Connections of which nothing is known yet: a bounded number, each for a bounded time.

Whoever opens thousands of them and says nothing, or nothing that needs a key, takes neither memory nor descriptors from
those who do."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

STRANGERS_MOST = 256
STRANGE_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
"""Of a request before its body; a last read may bring more, which is not waited for again."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
STRANGER = "stranger"
"""Under this name of a scope's `state`, the connection's `Stranger`."""


class Stranger:
    """One connection until it is known.

    Attributes:
        leave: ends it.
        busy: it is being answered, and not closed in favour of another.
    """

    def __init__(
        self, strangers: "Strangers", transport: asyncio.Transport, address: str, seconds: float | None
    ) -> None:
        self._strangers, self._transport, self.address = strangers, transport, address
        self.leave: Callable[[], None] = transport.close
        self.busy = False
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.dismiss)

    def known(self) -> None:
        """It belongs to somebody, or is closed: it is counted no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._strangers.forget(self)

    def again(self) -> "Stranger":
        """The connection is now used for something else, and begins anew."""
        self.known()
        return self._strangers.meet(self._transport, self.address)

    def dismiss(self) -> None:
        """End it."""
        self.known()
        self.leave()


class Strangers:
    """All such connections of a server.

    Args:
        most: one more, and the oldest idle one of the address that has the most is closed.
        most_an_address: one more of an address, and the oldest idle one of it is closed. None: no such limit.
        seconds: after so long any is. None: whoever uses this has time-outs of its own.
    """

    def __init__(
        self,
        *,
        most: int = STRANGERS_MOST,
        most_an_address: int | None = None,
        seconds: float | None = STRANGE_SECONDS,
    ) -> None:
        self._most, self._most_an_address, self._seconds = most, most_an_address, seconds
        self._of: dict[str, dict[Stranger, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def full(self, address: str) -> bool:
        """Whether there is no place for a new connection of this address, not even by closing an idle one."""
        return (self._crowded(address) and _idle(self._of[address]) is None) or (
            self._count >= self._most and self._least_wanted() is None
        )

    def _crowded(self, address: str) -> bool:
        return self._most_an_address is not None and len(self._of.get(address, ())) >= self._most_an_address

    def _least_wanted(self) -> Stranger | None:
        if not self._of:
            return None
        largest = max(self._of.values(), key=len)
        return _idle(largest) or next(filter(None, map(_idle, self._of.values())), None)

    def meet(self, transport: asyncio.Transport, address: str) -> Stranger:
        """Count a new connection, in place of an idle one where there is no other place."""
        leaves: Stranger | None = None
        if self._crowded(address):
            leaves = _idle(self._of[address])
        elif self._count >= self._most:
            leaves = self._least_wanted()
        if leaves is not None:
            leaves.dismiss()
        stranger = Stranger(self, transport, address, self._seconds)
        self._of.setdefault(address, {})[stranger] = None
        self._count += 1
        return stranger

    def forget(self, stranger: Stranger) -> None:
        """Count it no more; once more is no error."""
        crowd = self._of.get(stranger.address, {})
        if stranger in crowd:
            del crowd[stranger]
            self._count -= 1
            if not crowd:
                del self._of[stranger.address]


def _idle(crowd: Iterable[Stranger]) -> Stranger | None:
    """The oldest that is not being answered."""
    return next((stranger for stranger in crowd if not stranger.busy), None)


def acquaint(scope: Mapping[str, Any]) -> None:
    """The connection of this ASGI scope belongs to somebody who may use the server."""
    stranger = scope.get("state", {}).get(STRANGER)
    if stranger is not None:
        stranger.known()


def wary(strangers: Strangers) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol for HTTP (`Config(http=...)`), every connection of which is a stranger until `acquaint`. The
    one for WebSockets, which it hands connections over to, finds the stranger in its `app_state`."""

    class WaryProtocol(HttpToolsProtocol):
        _stranger: Stranger | None = None
        _head_bytes: int | None = 0
        """Read of a request whose head is not complete; None while there is no such one."""

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, dict(app_state), _loop)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
            super().connection_made(transport)
            self._stranger = strangers.meet(transport, self.client[0] if self.client else "")
            self.app_state[STRANGER] = self._stranger

        def data_received(self, data: bytes) -> None:
            before = self._head_bytes
            super().data_received(data)
            # What ends a body and begins another head is not counted.
            if before is not None and self._head_bytes is not None and not self.transport.is_closing():
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES:
                    self.transport.write(TOO_LARGE)
                    self.transport.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._head_bytes = 0

        def on_headers_complete(self) -> None:
            self._head_bytes = None
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._stranger is not None:
                self._stranger.known()

    return WaryProtocol
