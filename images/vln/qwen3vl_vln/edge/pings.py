"""The WebSocket protocol of uvicorn, which also measures how long a ping takes to come back."""

from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

from qwen3vl_vln.task.round_trips import RoundTrips

PING_SECONDS = 1.0
LONGEST_SECONDS = 10.0
"""A ping that has not come back by then never will."""
ROUND_TRIPS = "round_trips"
"""Where a connection's scope has them, in its state."""


class PingedWebSocket(WebSocketsSansIOProtocol):
    """Pings once a second, and never ends a connection for a ping that does not come back: TCP does that."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._trips = RoundTrips()
        super().__init__(config, server_state, {**app_state, ROUND_TRIPS: self._trips}, _loop)

    def handle_pong(self, event: Frame) -> None:
        """A ping came back."""
        waited = self.pending_ping_payload is not None
        super().handle_pong(event)
        if waited and self.pending_ping_payload is None:
            self._trips.took(self.last_ping_rtt, self.loop.time())

    def send_keepalive_ping(self) -> None:
        """Send the next ping, unless the one before is still under way: on a slow link each is slow."""
        if self.pending_ping_payload is not None and self.loop.time() - self.ping_sent_at < LONGEST_SECONDS:
            self.schedule_ping()
        else:
            super().send_keepalive_ping()
