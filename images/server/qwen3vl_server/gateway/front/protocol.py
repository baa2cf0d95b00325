"""Reading a connection: heads, bodies, and who answers them."""

import logging
from collections.abc import Hashable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qwen3vl_common.errors import ApiError, InternalError, ModelUnavailable, RequestTooLarge
from qwen3vl_server.gateway.front import wire
from qwen3vl_server.gateway.front.connection import Phase
from qwen3vl_server.gateway.front.door import Head
from qwen3vl_server.gateway.front.exchange import MISTAKE, REPLACED, Exchange
from qwen3vl_server.gateway.front.ledger import Verdict
from qwen3vl_server.gateway.front.message import Message, no_page, too_large
from qwen3vl_server.gateway.front.pipeline import PipelinedReader

log = logging.getLogger(__name__)


class FrontProtocol(PipelinedReader):
    """Uvicorn's protocol with limits, and with a door beside the application."""

    _head: Head | None = None
    """Of a request for the door."""
    _client: Hashable = ""

    def on_head(self, message: Message, fields: dict[bytes, bytes], path: str, rest: bytes) -> None:
        limits, length, front = self.front.limits, self._length, self.front
        try:
            if message.method == b"POST" and path in front.door.paths:
                self._head = head = Head("POST", path, fields, length, self.address)
                limit = limits.max_body_bytes
                self._client = front.door.admit(head)
                if self._stranger is not None:
                    self._stranger.known()
                    self._stranger = None
                if front.drain.overdue.done():
                    raise ModelUnavailable(REPLACED)
            else:
                self._head, limit = None, limits.page_body_bytes
            if length is not None and length > limit:
                raise RequestTooLarge(too_large(limit) if self._head is not None else no_page(path, limit))
        except ApiError as error:
            self.refuse(error, rest, length=length)
            return
        except Exception:  # a mistake of ours still gets an answer in the documented shape
            log.exception("a request to %r failed in the gateway", path)
            self.refuse(InternalError(MISTAKE), rest)
            return
        message.body_limit = limit
        self.expect_100_continue = fields.get(b"expect", b"").lower() == b"100-continue" and message.version == "1.1"
        if self._head is not None:
            self._reservation = one = front.ledger.ask(self._client, limit if length is None else length, self._granted)
            if one.verdict is Verdict.FULL:
                self.refuse(self.no_room(), rest, length=length)
                return
            if one.verdict is Verdict.WAITING:
                self.patient.hold()
                self._phase, self._since = Phase.ROOM, front.sweeper.now
                self._ahead[:0] = rest
                return
        self._begin_body(rest)

    def _granted(self) -> None:
        # Not at once: another connection is in the middle of giving its room back.
        self.loop.call_soon(self._room_is_there)

    def _room_is_there(self) -> None:
        if self._phase is Phase.ROOM:
            rest = bytes(self._ahead)
            self._ahead.clear()
            self.patient.let_go()
            self._begin_body(rest)

    def _begin_body(self, rest: bytes) -> None:
        length = self._length
        if length is not None and len(rest) >= length:
            self._complete(rest if len(rest) == length else rest[:length], rest[length:])
            return
        self._phase, self._since = Phase.BODY, self.front.sweeper.now
        self._came = self._window_came = 0
        self._body = bytearray()
        if rest:
            self.read_body(rest)
        elif self.expect_100_continue:
            self.send(wire.CONTINUE)

    def read_body(self, data: bytes) -> None:
        self._came += len(data)
        length = self._length
        if length is None:
            self._read_chunks(data)
            return
        body = self._body
        body += data
        if len(body) >= length:
            ahead = bytes(body[length:])
            del body[length:]
            self._body = bytearray()
            self._complete(body, ahead)

    def _read_chunks(self, data: bytes) -> None:
        message = self._message
        assert message is not None
        try:
            message.feed_chunks(data)
        except ApiError as error:
            self.refuse(error, data)
            return
        if message.body_done:
            body, message.body = message.body, bytearray()
            if self._reservation is not None:
                self._reservation.shrink(len(body))
            self._complete(body, b"")

    def _complete(self, body: bytes | bytearray, ahead: bytes) -> None:
        self._phase = Phase.ANSWER
        message, self._message = self._message, None
        assert message is not None
        if self._head is None:
            if self._stranger is not None:
                self._stranger.busy = True
            self._ask_application(message, body)
        else:
            reservation, self._reservation = self._reservation, None
            assert reservation is not None
            head, self._head = self._head, None
            self._exchange = exchange = Exchange(
                self, head, self._client, body, reservation, version=message.version, keep_alive=message.keep_alive
            )
            message.forget_parser()
            exchange.task = task = self.loop.create_task(self.front.door.answer(exchange))
            self.tasks.add(task)
            task.add_done_callback(exchange.over)
        if ahead:
            self.put_back(ahead)

    def _ask_application(self, message: Message, body: bytes | bytearray) -> None:
        """As uvicorn does it, with a body that is complete."""
        self.cycle = None  # type: ignore[assignment] # as before the first request
        HttpToolsProtocol.on_message_begin(self)
        self.url = message.url
        self.headers += message.headers
        self.parser = message.parser
        HttpToolsProtocol.on_headers_complete(self)
        message.forget_parser()
        cycle = self.cycle
        cycle.keep_alive = message.keep_alive and not self.leaving
        cycle.body += body
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.answered(keep_alive=self.cycle.keep_alive)

    def _should_upgrade(self) -> bool:
        return False
