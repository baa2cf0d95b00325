"""Which endpoint is asked next, and whether one is. Pure, but for the draw among equals."""

import random
from collections.abc import Mapping, Sequence

from qwen3vl_common.errors import ApiError, EngineFailed, ModelUnavailable

MOST_TRIES = 3
MOST_ANSWERS = 2
"""Endpoints that may fail over one request: it may be the request that makes them."""
RETRIED_STATUSES = frozenset({500, 502, 503})


class NotAnswered(Exception):
    """The endpoint never saw the request, or did not begin to answer: it may be sent again.

    Attributes:
        reason: for the metrics.
        again: whether the same endpoint may be asked again, where there is no other.
    """

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


class ServerError(Exception):
    """The endpoint answered with one of `RETRIED_STATUSES`, completely."""

    def __init__(self, status: int, retry_after_seconds: int | None) -> None:
        super().__init__(str(status))
        self.status = status
        self.reason = "unavailable" if status == 503 else f"status_{status}"
        self.retry_after_seconds = retry_after_seconds


class Tries:
    """The tries of one request.

    Attributes:
        count: how many there were.
        failed: endpoints that answered with a `ServerError`.
    """

    __slots__ = ("_again", "_retry_after_seconds", "_spent", "_status", "count", "failed")

    def __init__(self) -> None:
        self.count = 0
        self.failed: list[str] = []
        # Not the error itself: it refers to the frames it went through, and those to this.
        self._status, self._retry_after_seconds = 0, 0
        self._spent: list[str] = []
        self._again: str | None = None

    def next(self, usable: Sequence[str], in_flight: Mapping[str, int]) -> str | None:
        """The endpoint to ask now: the one with the fewest requests in flight, at random among equals. None: no more.

        Args:
            usable: endpoints of the route that are not ejected.
            in_flight: requests by endpoint; absent is none.
        """
        if self.count >= MOST_TRIES or len(self.failed) >= MOST_ANSWERS:
            return None
        rest = usable if not self._spent else [one for one in usable if one not in self._spent]
        if not rest:
            address, self._again = self._again, None
            if address is None:
                return None
        elif len(rest) == 1:
            address = rest[0]
        else:
            address = min(random.sample(rest, len(rest)), key=lambda one: in_flight.get(one, 0))
        self.count += 1
        self._spent.append(address)
        return address

    def note(self, address: str, outcome: NotAnswered | ServerError) -> None:
        """A try failed, but another may follow."""
        if isinstance(outcome, ServerError):
            self.failed.append(address)
            self._status, self._retry_after_seconds = outcome.status, outcome.retry_after_seconds or 0
        elif outcome.again:
            self._again = address

    def failure(self, model: str) -> ApiError:
        """What the client is told when there is no further try.

        Args:
            model: the served name.
        """
        if self._status not in (0, 503):
            return EngineFailed(f"the engine failed with status {self._status}")
        failure = ModelUnavailable(f"no replica of {model!r} is ready; try again in a few seconds")
        failure.retry_after_seconds = self._retry_after_seconds or failure.retry_after_seconds
        return failure
