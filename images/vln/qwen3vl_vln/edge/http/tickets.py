"""Leave to look, for a minute and once: what a page puts into an address where it cannot send a key. Pure.

A ticket opens the images of one task and nothing else. Only its hash is kept."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from qwen3vl_vln.errors import TooManyTicketsError
from qwen3vl_vln.unused import unused

TICKET_SECONDS = 60.0
TICKETS_MOST = 256


@dataclass
class Tickets:
    """The tickets that were given out and not used. `now`: seconds on a monotonic clock."""

    draw: Callable[[], str] = lambda: secrets.token_urlsafe(24)
    _given: dict[bytes, tuple[str, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._given)

    def give(self, task_id: str, now: float) -> str:
        """A new ticket for a task.

        Raises:
            TooManyTicketsError, NoUnusedIdError: see there.
        """
        for digest in [digest for digest, (_, until) in self._given.items() if until <= now]:
            del self._given[digest]
        if len(self._given) >= TICKETS_MOST:
            raise TooManyTicketsError(f"{TICKETS_MOST} tickets wait to be used; each is forgotten after a minute")
        ticket = unused("ticket", self.draw, lambda drawn: _digest(drawn) in self._given)
        self._given[_digest(ticket)] = task_id, now + TICKET_SECONDS
        return ticket

    def take(self, ticket: str, task_id: str, now: float) -> bool:
        """Whether the ticket lets its bearer look at this task now. Whatever the answer, it is used."""
        given_for, until = self._given.pop(_digest(ticket), ("", 0.0))
        return given_for == task_id and now < until


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode(errors="replace")).digest()
