"""One request for an engine and its answer, written straight to the connection."""

import asyncio
import logging
from collections.abc import Hashable, Sequence

from qwen3vl_common.errors import ApiError, InternalError, ModelUnavailable
from qwen3vl_server.gateway.front import wire
from qwen3vl_server.gateway.front.answer import AnswerWriter, Connection
from qwen3vl_server.gateway.front.door import Head
from qwen3vl_server.gateway.front.ledger import Reservation

log = logging.getLogger(__name__)

REPLACED = "the gateway is being replaced; try again"
MISTAKE = "the gateway failed; its log has the reason"


class Exchange:
    """One request whose body is complete.

    The task that answers it is cancelled when the client leaves or takes no byte for a time, and when a drain is
    overdue.

    Attributes:
        head: the request without its body.
        client: whom the door admitted.
        ended: nothing more can be sent.
        gone: nobody listens any more.
        replaced: the process must end now; an error is still heard.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_connection",
        "_reservation",
        "client",
        "ended",
        "gone",
        "head",
        "replaced",
        "task",
    )

    def __init__(
        self,
        connection: Connection,
        head: Head,
        client: Hashable,
        body: bytes | bytearray,
        reservation: Reservation,
        *,
        version: str,
        keep_alive: bool,
    ) -> None:
        self.head, self.client = head, client
        self._connection, self._reservation = connection, reservation
        self._body: bytes | bytearray | None = body
        self._answer = AnswerWriter(connection, version, keep_alive)
        self.ended = self.gone = self.replaced = False
        self.task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """Whether a status was sent; errors are events from then on."""
        return self._answer.started

    def take_body(self) -> bytes | bytearray:
        """The body, once: nothing here refers to it afterwards.

        Raises:
            RuntimeError: it was taken before.
        """
        body, self._body = self._body, None
        if body is None:
            raise RuntimeError("the body was taken already")
        return body

    def release_body(self) -> None:
        """Whoever took the body has dropped it: its room belongs to others. Once more is no error."""
        self._body = None
        self._reservation.release()

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], length: int | None) -> None:
        """Begin the answer.

        Args:
            headers: without those that tell its length or speak of the connection.
            length: of the body in bytes, all of which must be written before `end`. The head goes out with the first
                of them. None: nobody knows.

        Raises:
            RuntimeError: it was begun before.
            ValueError: a header cannot be sent.
        """
        self._answer.begin(status, headers, length)

    async def write(self, data: bytes | memoryview) -> None:
        """Some of the answer; waits while the client does not read.

        Raises:
            RuntimeError: not begun, or more than was announced.
        """
        self._put(data)
        await self._connection.drained()

    def _put(self, data: bytes | memoryview) -> None:
        if self.ended:
            raise RuntimeError("the answer is over")
        self._answer.put(data)

    async def end(self) -> None:
        """The answer is complete.

        Raises:
            RuntimeError: shorter than was announced; the connection is broken off then.
        """
        self._finish()

    def _finish(self) -> None:
        if self.ended:
            return
        self.ended = True
        if self._answer.short:
            self._connection.give_up()
            raise RuntimeError("the answer is shorter than was announced")
        self._answer.last()
        self.release_body()
        self._connection.answered(keep_alive=self._answer.keep_alive)

    async def error(self, error: ApiError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """An error instead of the answer, or as the last event of a stream that has begun.

        Args:
            headers: beside the error's own; of no use in a stream.
        """
        self._fail(error, headers)

    def _fail(self, error: ApiError, headers: wire.Headers = ()) -> None:
        if self.ended:
            return
        answer = self._answer
        answer.take_back()
        if not answer.started:
            body = wire.error_body(error)
            answer.begin(error.status, [*headers, *wire.error_headers(error)], len(body))
            answer.put(body)
        elif not answer.has_a_length:
            answer.put(wire.error_event(error))
        elif answer.short:
            self.ended = True
            self._connection.give_up()
            return
        self._finish()

    # What the connection calls.

    def leave(self) -> None:
        """Nobody listens any more."""
        if not self.ended and not self.gone:
            self.gone = True
            if self.task is not None:
                self.task.cancel()

    def replace(self) -> None:
        """The process must end now."""
        if not self.ended and not self.gone and not self.replaced:
            self.replaced = True
            if self.task is not None:
                self.task.cancel()

    def over(self, task: asyncio.Task[None]) -> None:
        """The task that answers has ended, in whichever way: the client is told, and nothing is kept."""
        self._connection.tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            log.error("a request to %s failed in the gateway", self.head.path, exc_info=failure)
        if not self.ended:
            if self.gone:
                self.ended = True
            elif self.replaced:
                self._fail(ModelUnavailable(REPLACED))
            else:
                self._fail(InternalError(MISTAKE))
        self.release_body()
        self.task = None
