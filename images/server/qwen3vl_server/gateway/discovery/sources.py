"""What is known of each watched namespace: its slices, and whether it can be read. Times are arguments."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from qwen3vl_server.gateway.slices import MalformedSlice, ModelSlice, name_of, read_slice

log = logging.getLogger(__name__)

SETTLED_SECONDS = 10.0
"""A namespace that is refused for so long at the start is not waited for: an apiserver that begins refuses for a moment
what it allows afterwards."""
DROP_SECONDS = 60.0
"""A namespace that is refused for so long is not served any more: nobody tells of its pods, and their addresses may be
another's by now."""


@dataclass
class Source:
    """One namespace.

    Attributes:
        is_listed: whether all its slices were read once.
        is_healthy: whether it can be read now.
        refused_at: since when the apiserver does not let us read it.
    """

    name: str
    slices: dict[str, ModelSlice] = field(default_factory=dict)
    is_listed: bool = False
    is_healthy: bool = False
    refused_at: float | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _listed: dict[str, ModelSlice] = field(default_factory=dict)
    _told_of_listed: dict[str, str] = field(default_factory=dict)

    def begin_list(self) -> None:
        """A new list begins; what is known stays in force to its end."""
        self._listed, self._told_of_listed = {}, {}

    def take_page(self, things: Iterable[object]) -> None:
        """A part of the list; what cannot be read is told and left out."""
        for thing in things:
            try:
                piece = read_slice(thing)
            except MalformedSlice as error:
                self._tell(name_of(thing), str(error), self._told_of_listed)
                continue
            if piece is not None:
                self._keep(piece, self._listed, self._told_of_listed)

    def end_list(self) -> None:
        """All that the list said is all there is."""
        self.slices, self._told = self._listed, self._told_of_listed
        self.is_listed, self.is_healthy, self.refused_at = True, True, None
        self.begin_list()

    def put(self, uid: str, thing: object) -> None:
        """Take a slice that was made or changed.

        Raises:
            MalformedSlice: it cannot be read; its last version stays in force.
        """
        piece = read_slice(thing)
        if piece is None:
            self.remove(uid)
        else:
            self._keep(piece, self.slices, self._told)

    def remove(self, uid: str) -> None:
        """A slice was deleted."""
        self.slices.pop(uid, None)

    def failed(self, now: float, *, refused: bool) -> None:
        """It could not be read. What is known stays in force, unless it is refused for `DROP_SECONDS`."""
        self.is_healthy = False
        if not refused:
            self.refused_at = None
            return
        self.refused_at = now if self.refused_at is None else self.refused_at
        if now - self.refused_at >= DROP_SECONDS:
            self.slices = {}

    def is_settled(self, now: float) -> bool:
        """Whether there is nothing to wait for: it was listed, or is closed to us."""
        return self.is_listed or (self.refused_at is not None and now - self.refused_at >= SETTLED_SECONDS)

    def _keep(self, piece: ModelSlice, slices: dict[str, ModelSlice], told: dict[str, str]) -> None:
        slices[piece.uid] = piece
        name = f"{piece.namespace}/{piece.name}"
        if piece.malformed:
            self._tell(name, f"{piece.malformed} of its endpoints cannot be read and are left out", told)
        else:
            told.pop(name, None)

    def _tell(self, name: str, problem: str, told: dict[str, str]) -> None:
        """Log it, unless the same was said of this slice before."""
        if problem not in (told.get(name), self._told.get(name)):
            log.warning("EndpointSlice %s: %s", name, problem)
        told[name] = problem
