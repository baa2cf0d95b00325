"""The text of a watch, and of a list: lines of any length, events, and what is wrong with them. Pure.

WatchError             the watch, or the list, has to begin again
├── Expired            the version to go on from is too old
├── Refused            the apiserver does not let us read this namespace
├── Unavailable        it is away, too busy, broken or silent
└── MalformedAnswer    what it said cannot be understood
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

LONGEST_LINE_BYTES = 32 * 1024 * 1024
"""An object is at most a few MiB; beyond this something else than an apiserver speaks."""
EXPIRED_REASONS = ("Expired", "Gone")
KINDS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")


class WatchError(Exception):
    """Why a watch or a list ended. `retry_after_seconds`: what the apiserver asked to wait."""

    reason: ClassVar[str]

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Expired(WatchError):
    reason = "expired"


class Refused(WatchError):
    reason = "refused"


class Unavailable(WatchError):
    reason = "unavailable"


class MalformedAnswer(WatchError):
    reason = "malformed"


class Lines:
    """Bytes as they come → whole lines, however long one is."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._bytes = 0

    @property
    def is_within_line(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._bytes > 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`; empty ones are left out.

        Raises:
            MalformedAnswer: a line is longer than any object.
        """
        *ended, rest = data.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._begun, ended[0]))
            self._begun, self._bytes = [], 0
        if rest:
            self._begun.append(rest)
            self._bytes += len(rest)
        if self._bytes > LONGEST_LINE_BYTES:
            raise MalformedAnswer(f"a line of more than {LONGEST_LINE_BYTES} bytes")
        return [line for line in ended if line.strip()]


@dataclass(frozen=True, slots=True)
class Event:
    """A change. `thing` is the object, as it was said; of it `version` and `uid` were checked.

    Attributes:
        uid: empty for a bookmark.
    """

    kind: str
    version: str
    uid: str
    thing: dict[str, Any]


def read_event(line: bytes) -> Event:
    """One line of a watch.

    Raises:
        WatchError: it says that the watch is over, or nothing that can be understood.
    """
    said = _object(line, "an event")
    kind, thing = said.get("type"), said.get("object")
    if not isinstance(thing, dict):
        raise MalformedAnswer(f"an event {str(kind)[:40]!r} without an object")
    if kind == "ERROR":
        raise failure(thing.get("code"), thing)
    metadata = thing.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    version, uid = known.get("resourceVersion"), known.get("uid", "")
    if kind not in KINDS or not (isinstance(version, str) and version) or not isinstance(uid, str):
        raise MalformedAnswer(f"an event {str(kind)[:40]!r} of {str(known.get('name'))[:100]!r} that cannot be read")
    if not uid and kind != "BOOKMARK":
        raise MalformedAnswer(f"an event {kind!r} of {str(known.get('name'))[:100]!r} without a uid")
    return Event(kind, version, uid, thing)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `token` leads to the next one; empty at the end."""

    items: list[Any]
    version: str
    token: str


def read_page(text: bytes) -> Page:
    """The body of a LIST.

    Raises:
        MalformedAnswer: it is none.
    """
    said = _object(text, "a list")
    items, metadata = said.get("items") or [], said.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    version, token = known.get("resourceVersion"), known.get("continue") or ""
    if not isinstance(items, list) or not (isinstance(version, str) and version) or not isinstance(token, str):
        raise MalformedAnswer("a list without items or a version")
    return Page(items, version, token)


def failure(status: object, said: object, retry_after: str = "") -> WatchError:
    """What an error status of the apiserver means.

    Args:
        said: the body, a Status object where it has one.
        retry_after: the header's value.
    """
    told = said if isinstance(said, dict) else {}
    message = f"apiserver answers {status}: {str(told.get('message') or said)[:300]}"
    if status == 410 or told.get("reason") in EXPIRED_REASONS:
        return Expired(message)
    kind = Refused if status == 403 else Unavailable
    return kind(
        message, retry_after_seconds=float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0
    )


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedAnswer(f"{what} that is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise MalformedAnswer(f"{what} that is not an object")
    return said
