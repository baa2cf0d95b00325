"""One request's way to an engine and the answer's way back, over one connection after another until one answers."""

import asyncio
from collections.abc import Callable

from qwen3vl_common.errors import ApiError, EngineFailed
from qwen3vl_server.gateway.engines.answer import Answer, Broken
from qwen3vl_server.gateway.engines.connection import WRITTEN_BYTES, Connection
from qwen3vl_server.gateway.engines.contract import Outgoing, Sink, Timeouts
from qwen3vl_server.gateway.engines.counts import Counts
from qwen3vl_server.gateway.engines.events import WholeEvents
from qwen3vl_server.gateway.engines.refusal import is_refusal, refusal, retry_after_seconds
from qwen3vl_server.gateway.engines.retries import RETRIED_STATUSES, NotAnswered, ServerError
from qwen3vl_server.gateway.engines.stream_errors import first_error, is_done
from qwen3vl_server.gateway.engines.waiting import Waiting

SLICE_BYTES = 1 << 18
"""Of a body of more than `WRITTEN_BYTES`, written at a time: other requests get their turn between two."""
COMMENT = b": still waiting\n\n"
_BROKEN = {
    Broken.CLOSED: "the engine closed the connection",
    Broken.GARBAGE: "the engine answered what is no HTTP",
    Broken.TOO_LARGE: "the engine's answer is too large",
}


class Relay:
    """Of one request.

    Args:
        stream: whether it asks for a stream.
        done: whether the engine ends a stream with `data: [DONE]`.
    """

    __slots__ = (
        "_counts",
        "_done",
        "_outgoing",
        "_request_id",
        "_sink",
        "_stream",
        "_waiting",
    )

    def __init__(
        self,
        outgoing: Outgoing,
        sink: Sink,
        timeouts: Timeouts,
        counts: Counts,
        *,
        request_id: str,
        stream: bool,
        done: bool,
    ) -> None:
        self._outgoing, self._sink, self._counts = outgoing, sink, counts
        self._request_id = request_id.encode("latin-1")
        self._stream, self._done = stream, done
        self._waiting = Waiting(timeouts, counts)

    async def ask(self, connection: Connection, head: bytes, gone_seconds: Callable[[], float]) -> Answer:
        """Send the request, and wait for the whole answer, or for a stream's first bytes.

        Args:
            head: of the request, complete.
            gone_seconds: for how long nobody has been routed to the endpoint.

        Raises:
            NotAnswered, ServerError: another endpoint may be asked.
            ApiError: what the client is told.
        """
        self._waiting.begin(gone_seconds)
        answer = connection.begin(self._on_status)
        await self._send(connection, head)
        while not answer.news:
            await self._waiting.wait(connection, answer, self._comment if self._stream else None)
        if answer.broken and not answer.streaming:
            if not answer.touched and answer.broken is Broken.CLOSED:
                raise NotAnswered("closed" if connection.reused else "broken", again=connection.reused)
            raise self._broken(answer, "before it answered")
        if answer.status != 200:
            self._refuse(answer)
        return answer

    def rest(self) -> None:
        """No more waiting on this connection."""
        self._waiting.rest()

    async def whole(self, answer: Answer) -> None:
        """Hand on an answer that is no stream."""
        if self._sink.started:
            self._counts.error("no_stream")
            raise EngineFailed("the engine did not answer with a stream")
        length, pieces = answer.buffered, answer.take()
        if len(pieces) > 1 and length <= SLICE_BYTES:
            pieces = [b"".join(pieces)]
        await self._sink.start(200, self._headers(answer.content_type or b"application/json"), length)
        for piece in pieces:
            await self._sink.write(piece)
        await self._sink.end()

    async def events(self, connection: Connection, answer: Answer) -> None:
        """Hand on a stream to its end, in whole events."""
        self._waiting.rest()
        events = WholeEvents()
        try:
            await self._events(connection, answer, events)
        except ApiError:
            if events.inside:
                await self._sink.write(b"\n\n")  # the error must not be read as part of the broken event
            raise
        await self._start(answer)
        if rest := events.rest():
            await self._sink.write(rest)
        await self._sink.end()

    async def _events(self, connection: Connection, answer: Answer, events: WholeEvents) -> None:
        done = not self._done
        while answer.news:
            if ready := events.feed(connection.take()):
                await self._hand_on(ready, answer)
                done = done or is_done(ready)
            connection.read_on()
            if answer.buffered:
                continue
            if answer.broken:
                raise self._broken(answer, "in the middle of its answer")
            if answer.complete:
                break
            while not answer.news:
                comment = self._comment if self._stream and not events.inside else None
                await self._waiting.wait(connection, answer, comment)
        if not done and not is_done(events.held):
            self._counts.error("no_done")
            raise EngineFailed("the engine ended in the middle of its answer")

    async def _hand_on(self, ready: bytes, answer: Answer) -> None:
        found = first_error(ready)
        if found is None:
            await self._start(answer)
            await self._sink.write(ready)
            return
        begin, error = found
        if begin:
            await self._start(answer)
            await self._sink.write(ready[:begin])
        self._counts.error("error_event")
        raise error

    async def _start(self, answer: Answer | None) -> None:
        if not self._sink.started:
            kind = answer.content_type if answer is not None else b"text/event-stream; charset=utf-8"
            await self._sink.start(200, [*self._headers(kind), (b"cache-control", b"no-cache")], None)

    async def _comment(self) -> None:
        await self._start(None)
        await self._sink.write(COMMENT)

    def _headers(self, content_type: bytes) -> list[tuple[bytes, bytes]]:
        return [(b"content-type", content_type), (b"x-request-id", self._request_id)]

    def _on_status(self, status: int) -> None:
        if status not in RETRIED_STATUSES:
            self._outgoing.release()

    async def _send(self, connection: Connection, head: bytes) -> None:
        body, answer = self._outgoing.body, connection.answer
        if len(body) < WRITTEN_BYTES or answer is None:
            connection.write(head, body)
            return
        connection.write(head)
        connection.half_sent = True
        view = memoryview(body)
        for begin in range(0, len(body), SLICE_BYTES):
            connection.write(view[begin : begin + SLICE_BYTES])
            await asyncio.sleep(0)
            while not connection.writable and not answer.news:
                await self._waiting.wait(connection, answer, self._comment if self._stream else None)
            if answer.news:
                return  # it does not want the rest
        connection.half_sent = False

    def _broken(self, answer: Answer, when: str) -> EngineFailed:
        broken = answer.broken or Broken.CLOSED
        self._counts.error(("cut" if answer.streaming else "broken") if broken is Broken.CLOSED else broken.value)
        return EngineFailed(f"{_BROKEN[broken]} {when}" if broken is Broken.CLOSED else _BROKEN[broken])

    def _refuse(self, answer: Answer) -> None:
        status = answer.status
        if status in RETRIED_STATUSES:
            raise ServerError(status, retry_after_seconds(answer.retry_after))
        if is_refusal(status):
            raise refusal(status, b"".join(answer.take()), answer.retry_after)
        self._counts.error(f"status_{status}")
        raise EngineFailed(f"the engine failed with status {status}")
