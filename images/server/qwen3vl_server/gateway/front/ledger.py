"""Bytes of bodies in flight: who has how many, who waits for room, and who is next. No clock, no loop."""

from collections.abc import Callable, Hashable
from enum import Enum


class Verdict(Enum):
    """Whether a body may be read."""

    GRANTED = "granted"
    WAITING = "waiting"
    FULL = "full"
    """Too many wait already."""


class Reservation:
    """The room of one body, from the moment that it was asked for until it is given back.

    Attributes:
        verdict: as it is now.
    """

    __slots__ = ("_ledger", "_released", "_size", "client", "granted", "verdict")

    def __init__(self, ledger: "Ledger", client: Hashable, size: int, granted: Callable[[], None]) -> None:
        self._ledger, self.client, self._size, self.granted = ledger, client, size, granted
        self._released = False
        self.verdict = Verdict.WAITING

    @property
    def size(self) -> int:
        """Bytes that are reserved or waited for; 0 once given back."""
        return self._size

    @property
    def share_is_full(self) -> bool:
        """Whether it is the client's own other bodies that leave no room for this one."""
        return not self._ledger.share_has_room(self.client, self._size)

    def shrink(self, size: int) -> None:
        """The body is complete, and was shorter than feared."""
        if size < self._size:
            self._ledger.give_back(self, self._size - size)
            self._size = size

    def release(self) -> None:
        """Give the room back, or stop waiting for it; once more is no error."""
        if self._released:
            return
        self._released = True
        size, self._size = self._size, 0
        self._ledger.give_back(self, size)


class Ledger:
    """All reservations of a process.

    First come, first served; but one whose client's share is full is passed over, since those of others do not wait
    for this client's answers.

    Args:
        total: bytes for everybody.
        share: bytes for one client, at most `total`.
        waiting_most: how many may wait; half as many of one client.
    """

    def __init__(self, total: int, share: int, waiting_most: int) -> None:
        self._total, self._share, self._waiting_most = total, share, waiting_most
        self._used = 0
        self._of: dict[Hashable, int] = {}
        self._waiting: dict[Reservation, None] = {}

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self._used

    @property
    def waiting(self) -> int:
        """Bodies that wait for room."""
        return len(self._waiting)

    def used_by(self, client: Hashable) -> int:
        """Bytes that are reserved for one client."""
        return self._of.get(client, 0)

    def share_has_room(self, client: Hashable, size: int) -> bool:
        """Whether this client's own bodies leave room for `size` more bytes."""
        return self.used_by(client) + size <= self._share

    def ask(self, client: Hashable, size: int, granted: Callable[[], None]) -> Reservation:
        """Room for a body.

        Args:
            size: bytes, at most a client's share.
            granted: called when a waiting one gets its room.
        """
        one = Reservation(self, client, size, granted)
        if not self._waiting and self._used + size <= self._total and self.share_has_room(client, size):
            self._take(one)
            return one
        self._waiting[one] = None
        self._serve(newcomer=one)
        if one.verdict is Verdict.WAITING and self._too_many_wait(client):
            del self._waiting[one]
            one.verdict = Verdict.FULL
        return one

    def _too_many_wait(self, client: Hashable) -> bool:
        # Half of the places for one client, so that it does not take those of all others.
        own = sum(waiting.client == client for waiting in self._waiting)
        return len(self._waiting) > self._waiting_most or own > max(1, self._waiting_most // 2)

    def give_back(self, one: Reservation, size: int) -> None:
        """Take `size` bytes off a reservation; one that waits leaves the queue."""
        if one.verdict is Verdict.GRANTED:
            self._used -= size
            left = self._of.get(one.client, 0) - size
            if left:
                self._of[one.client] = left
            else:
                self._of.pop(one.client, None)
        else:
            self._waiting.pop(one, None)
        if self._waiting:
            self._serve()

    def _take(self, one: Reservation) -> None:
        one.verdict = Verdict.GRANTED
        self._used += one.size
        self._of[one.client] = self.used_by(one.client) + one.size

    def _serve(self, newcomer: Reservation | None = None) -> None:
        passed_over = set()
        for one in list(self._waiting):
            # Not even a smaller body of the same client overtakes: a large one would never come.
            if one.client in passed_over or not self.share_has_room(one.client, one.size):
                passed_over.add(one.client)
                continue
            if self._used + one.size > self._total:
                break
            del self._waiting[one]
            self._take(one)
            if one is not newcomer:
                one.granted()
