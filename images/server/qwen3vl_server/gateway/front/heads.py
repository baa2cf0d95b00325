"""Reading heads."""

from qwen3vl_common.errors import ApiError, HeadTooLarge
from qwen3vl_server.gateway.front.deadlines import BoundedConnection
from qwen3vl_server.gateway.front.head import fields_of, length_of
from qwen3vl_server.gateway.front.message import Message, path_of

_END_OF_HEAD = b"\r\n\r\n"


class HeadReader(BoundedConnection):
    """A connection whose heads are read, each up to its last byte and no further."""

    _tail = b""
    """The last bytes of an incomplete head, in which its end may begin."""
    _head_bytes = 0
    _length: int | None = 0
    """Of the body; None: chunked."""

    def on_head(self, message: Message, fields: dict[bytes, bytes], path: str, rest: bytes) -> None:
        """A head that may be answered is complete, and `rest` came with it."""
        raise NotImplementedError

    def read_head(self, data: bytes) -> None:
        """Some bytes of a head, and perhaps of what follows it."""
        limits, message = self.front.limits, self._message
        if message is None:
            message = self._message = Message(limits)
            self._head_bytes, self._tail, self._since = 0, b"", self.front.sweeper.now
        window = self._tail + data if self._tail else data
        found = window.find(_END_OF_HEAD)
        end = len(data) if found < 0 else found + len(_END_OF_HEAD) - len(self._tail)
        self._head_bytes += end
        piece = data[:end]
        try:
            if self._head_bytes > limits.head_bytes:
                raise HeadTooLarge(f"URL and headers have at most {limits.head_bytes} bytes")
            message.feed_head(piece)
            if found < 0:
                self._tail = window[1 - len(_END_OF_HEAD) :]
                return
            message.end_head(piece)
            fields = fields_of(message)
            self._length = length_of(message, fields)
            path = self.front.paths.get(message.url)
            if path is None:
                path = path_of(message.url)
        except ApiError as error:
            self.refuse(error, data[end:])
            return
        self.on_head(message, fields, path, data[end:])
