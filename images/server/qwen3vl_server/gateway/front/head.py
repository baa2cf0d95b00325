"""Is this head one that may be answered at all? Functions of values, asked before any key is looked at."""

from qwen3vl_common.errors import MethodNotAllowed
from qwen3vl_server.gateway.front.message import Message, broken

_ONCE = (b"authorization", b"host", b"content-length", b"transfer-encoding")
_METHODS_OF_PROXIES = (b"CONNECT", b"TRACE")


def fields_of(message: Message) -> dict[bytes, bytes]:
    """The header fields of a complete head; of a repeated one the last.

    Raises:
        ApiError: what the head says cannot be meant, or not be understood in one way only.
    """
    if message.version not in ("1.1", "1.0"):
        raise broken(f"its version is {message.version}")
    if message.method in _METHODS_OF_PROXIES:
        raise MethodNotAllowed(f"{message.method.decode('ascii')} is not taken here")
    headers = message.headers
    fields = dict(headers)
    if len(fields) != len(headers):
        names = [name for name, _ in headers]
        for name in _ONCE:
            if names.count(name) > 1:
                raise broken(f"{name.decode()} stands there {names.count(name)} times")
    if b"host" not in fields and message.version == "1.1":
        raise broken("it has no Host")
    if message.upgrade == b"websocket":
        raise broken("WebSockets are not spoken here")
    return fields


def length_of(message: Message, fields: dict[bytes, bytes]) -> int | None:
    """Length of the body in bytes; None: chunked.

    Raises:
        InvalidRequest: it cannot be told.
    """
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked" or message.version == "1.0" or b"content-length" in fields:
            raise broken("a body is either as long as Content-Length says or Transfer-Encoding: chunked")
        return None
    announced = fields.get(b"content-length")
    if announced is None:
        return 0
    digits = announced.strip()
    if not digits.isdigit() or len(digits) > 19:
        raise broken("its Content-Length is no number of bytes")
    return int(digits)
