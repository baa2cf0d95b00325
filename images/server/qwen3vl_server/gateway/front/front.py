"""What all connections share."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwen3vl_common.drain import Drain
from qwen3vl_common.strangers import Strangers
from qwen3vl_server.gateway.front.door import Door
from qwen3vl_server.gateway.front.ledger import Ledger
from qwen3vl_server.gateway.front.limits import FrontLimits
from qwen3vl_server.gateway.front.protocol import FrontProtocol
from qwen3vl_server.gateway.front.sweeper import Sweeper


class Front:
    """One for a process; made while its loop runs.

    Args:
        door: answers the requests for engines.
        drain: once told, every answer says that its connection closes; when overdue, open exchanges are ended.

    Attributes:
        ledger: bytes of bodies in flight.
        strangers: connections that have shown no valid key.
        sweeper: every connection.
        hoarders: those that hold many bytes of further requests.
    """

    def __init__(self, door: Door, drain: Drain, limits: FrontLimits | None = None) -> None:
        self.door, self.drain = door, drain
        self.limits = limits = limits or FrontLimits()
        self.paths = {path.encode("ascii"): path for path in door.paths}
        self.ledger = Ledger(limits.flight_bytes, limits.share_bytes, limits.waiting_most)
        self.strangers = Strangers(most=limits.strangers, most_an_address=limits.strangers_an_address, seconds=None)
        self.hoarders: set[object] = set()
        self.sweeper = Sweeper(limits.tick_seconds)
        drain.overdue.add_done_callback(self._end_answers)

    def protocol(self) -> type[HttpToolsProtocol]:
        """For uvicorn's `Config(http=...)`."""
        return type("FrontProtocol", (FrontProtocol,), {"front": self})

    def _end_answers(self, _: asyncio.Future[None]) -> None:
        for connection in self.sweeper.connections:
            if isinstance(connection, FrontProtocol):
                connection.replace()
