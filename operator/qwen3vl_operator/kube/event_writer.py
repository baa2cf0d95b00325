"""Our own Kubernetes Events, for whoever asks `kubectl describe` or `kubectl events` why something is as it is."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from qwen3vl_operator import names
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.log_limiter import LogLimiter
from qwen3vl_operator.kube.resources import EVENTS, Object

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0
"""The same again within this time counts up the Event that is there; the apiserver forgets each after an hour."""
REMEMBERED = 4096
MAX_MESSAGE = 1024
MAX_NAME = 253
GONE = 404
Subject = tuple[str, ...]


@dataclass(eq=False)
class _Said:
    """One Event that was written: `at` is when last, in seconds of the loop; `writing` keeps its count in order."""

    name: str
    at: float
    count: int = 0
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class EventWriter:
    """Writes Events about our objects into their namespaces.

    Args:
        now: the time of day as RFC 3339, to the second.
    """

    def __init__(self, kube: Kube, *, now: Callable[[], str]) -> None:
        self._kube, self._now = kube, now
        self._said: OrderedDict[Subject, _Said] = OrderedDict()
        self._limiter = LogLimiter()

    async def emit(self, about: Object, *, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Say something about an object; the same type and reason again within ten minutes raises the Event's count.

        Nothing depends on an Event: one that cannot be written is logged, at most once a minute, and forgotten.

        Args:
            about: as the API has it, with apiVersion and kind.
            message: contains no secret; what is longer than 1,024 characters is cut.
        """
        try:
            await self._write(about, type_, reason, message[:MAX_MESSAGE])
        except Exception as error:
            left_out = self._limiter.left_out("", asyncio.get_running_loop().time())
            if left_out is not None:
                log.warning(
                    "an Event (%s) cannot be written, %d others could not since the last such line: %s",
                    reason,
                    left_out,
                    str(error) or type(error).__name__,
                )
                log.debug("Event %s", reason, exc_info=error)

    async def _write(self, about: Object, type_: str, reason: str, message: str) -> None:
        said = self._remembered(_subject(about, type_, reason))
        async with said.writing:
            when, count = self._now(), said.count + 1
            again = {"count": count, "lastTimestamp": when, "message": message}
            namespace = about["metadata"]["namespace"]
            if count > 1 and await self._patched(namespace, said.name, again):
                said.count = count
                return
            event = _event(said.name, about, type_, reason, message, when)
            if await self._kube.create(EVENTS, namespace, event):
                said.count = 1
            else:  # written by a try whose answer was lost
                await self._kube.patch(EVENTS, namespace, said.name, again)
                said.count = count

    async def _patched(self, namespace: str, name: str, change: Object) -> bool:
        """Whether the Event is still there, and has the change."""
        try:
            await self._kube.patch(EVENTS, namespace, name, change)
        except ApiError as error:
            if error.status != GONE:
                raise
            return False
        return True

    def _remembered(self, subject: Subject) -> _Said:
        """The Event of this subject that is to be counted up, or one to be made."""
        now = asyncio.get_running_loop().time()
        while self._said:
            oldest = next(iter(self._said.values()))
            if len(self._said) < REMEMBERED and now - oldest.at <= WINDOW_SECONDS:
                break
            self._said.popitem(last=False)
        said = self._said.get(subject)
        if said is None:
            said = self._said[subject] = _Said(_name(subject, self._now()), now)
        said.at = now
        self._said.move_to_end(subject)
        return said


def _subject(about: Object, type_: str, reason: str) -> Subject:
    metadata = about["metadata"]
    return metadata["name"], about["kind"], metadata["namespace"], metadata.get("uid", ""), type_, reason


def _name(subject: Subject, first: str) -> str:
    """A name that no other Event has: the object's, and a hash of what is said about it since when."""
    digest = hashlib.sha256("\0".join((*subject, first)).encode()).hexdigest()[:16]
    return f"{subject[0][: MAX_NAME - len(digest) - 1].rstrip('-.')}.{digest}"


def _event(name: str, about: Object, type_: str, reason: str, message: str, when: str) -> Object:
    metadata = about["metadata"]
    told = {field: metadata[field] for field in ("name", "namespace", "uid", "resourceVersion") if field in metadata}
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": about["apiVersion"], "kind": about["kind"], **told},
        "type": type_,
        "reason": reason,
        "message": message,
        "source": {"component": names.FIELD_MANAGER},
        "reportingComponent": names.FIELD_MANAGER,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
