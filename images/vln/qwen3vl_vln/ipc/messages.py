"""Messages as bytes: every class of the two unions by its name, its fields by theirs. What arrives is checked against
the classes, so that no half-understood message goes further."""

from typing import Any, cast, get_args

import orjson

from qwen3vl_vln.ipc.fields import Mismatch, Reader, reader, value
from qwen3vl_vln.ipc.to_edge import ToEdge
from qwen3vl_vln.ipc.to_worker import ToWorker

Message = ToWorker | ToEdge


class UnreadableMessageError(ValueError):
    """Bytes are no message for this end: an unknown type, other fields, a value of another type."""


def _readers(union: object) -> dict[str, Reader]:
    return {kind.__name__: reader(kind) for kind in get_args(union)}


_TO_WORKER, _TO_EDGE = _readers(ToWorker), _readers(ToEdge)
_HEADS = {kind: b'["%b",' % kind.__name__.encode() for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """The message as one line of JSON, without its end: the name of its class, and its fields."""
    return b"%b%b]" % (_HEADS[type(message)], orjson.dumps(message, default=value))


def decode_to_worker(line: bytes) -> ToWorker:
    """The message that the edge sent.

    Raises:
        UnreadableMessageError: see there.
    """
    return cast(ToWorker, _decode(line, _TO_WORKER))


def decode_to_edge(line: bytes) -> ToEdge:
    """The message that the worker sent.

    Raises:
        UnreadableMessageError: see there.
    """
    return cast(ToEdge, _decode(line, _TO_EDGE))


def _decode(line: bytes, readers: dict[str, Reader]) -> Any:
    try:
        kind, body = orjson.loads(line)
        read = readers[kind]
    except (ValueError, TypeError, KeyError):
        raise UnreadableMessageError(f"{line[:64]!r}... is no message of {', '.join(readers)}") from None
    try:
        return read(body)
    except Mismatch as error:
        raise UnreadableMessageError(f"{kind}: {error}") from None
