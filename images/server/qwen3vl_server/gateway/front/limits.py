"""What a client may send before anybody knows it, and how long for: one value, so that tests can be impatient."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class FrontLimits:
    """Bounds of everything that costs memory or a descriptor.

    Attributes:
        head_bytes, head_fields, url_bytes: of one request's head.
        head_seconds: for a complete head, from the connection or from the first byte of a next head.
        keep_alive_seconds: between an answer and the next head; longer than the 60 s of common load balancers, so that
            they close first.
        max_body_bytes: longest body of a request for an engine.
        page_body_bytes: longest body of any other request; no page takes one.
        overhead_bytes: what a chunked body may have beside its content (sizes, extensions, trailers), at a stretch or
            over as many bytes as the content has.
        body_window_seconds, body_bytes_per_second: in each such window the body must come at least as fast.
        flight_bytes: of all bodies that are read or held, in this process.
        share_bytes: of these, most for one client.
        room_seconds: how long a body waits unread for room.
        waiting_most: how many do at a time, half as many of one client; each of them may hold what came with its head.
        refused_bytes, refused_known_bytes, refused_seconds: how much of a refused body is read and dropped before the
            connection closes, so that the client sees the answer and not a reset: of a stranger, of one with a key,
            and for how long. Some libraries send all of it before they look at an answer.
        ahead_bytes: of pipelined requests while one is answered.
        hoarders: connections that may hold more, by one read; a further one is answered and closed.
        taking_seconds: a client that takes no byte of an answer for so long is dropped.
        strangers_an_address, strangers: connections that have shown no valid key.
    """

    head_bytes: int = 64 * KIB
    head_fields: int = 128
    url_bytes: int = 8 * KIB
    head_seconds: float = 10.0
    keep_alive_seconds: float = 75.0
    max_body_bytes: int = 32 * MIB
    page_body_bytes: int = 64 * KIB
    overhead_bytes: int = 64 * KIB
    body_window_seconds: float = 10.0
    body_bytes_per_second: int = 16 * KIB
    flight_bytes: int = 96 * MIB
    share_bytes: int = 48 * MIB
    room_seconds: float = 10.0
    waiting_most: int = 64
    refused_bytes: int = 1 * MIB
    refused_known_bytes: int = 128 * MIB
    refused_seconds: float = 2.0
    ahead_bytes: int = 64 * KIB
    hoarders: int = 64
    taking_seconds: float = 30.0
    strangers_an_address: int = 100
    strangers: int = 1000

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: a body of the longest kind would never find room.
        """
        if not self.max_body_bytes <= self.share_bytes <= self.flight_bytes:
            raise ValueError(
                f"a body of {self.max_body_bytes} bytes (--max-body-bytes) must fit into one client's share of bodies "
                f"in flight ({self.share_bytes} bytes), and that into all of them ({self.flight_bytes} bytes)"
            )

    @property
    def tick_seconds(self) -> float:
        """How often time-outs are looked at: each is at most two ticks late."""
        shortest = min(
            self.head_seconds,
            self.keep_alive_seconds,
            self.body_window_seconds,
            self.room_seconds,
            self.refused_seconds,
            self.taking_seconds,
        )
        return min(0.5, shortest / 4)
