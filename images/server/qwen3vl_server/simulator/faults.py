"""Which fault is switched on, and for how many more requests. State without a clock: `app` waits and cuts."""

from dataclasses import dataclass, replace
from typing import Any

from .errors import BadRequestError
from .protocol import FaultRequest

KINDS = ("slow", "hang", "500", "reply", "cut", "none")
SLOW_SECONDS = 5.0


@dataclass(frozen=True)
class Fault:
    """One way to fail: `text` belongs to reply, which comes as late as slow does when it has `seconds`; `count` None
    means until it is switched off."""

    kind: str = "none"
    seconds: float = 0.0
    text: str = ""
    count: int | None = None

    def json(self) -> dict[str, Any]:
        """As GET /simulator/faults shows it: only what matters for the kind."""
        shown: dict[str, Any] = {"fault": self.kind}
        if self.kind == "slow" or self.seconds:
            shown["seconds"] = self.seconds
        if self.kind == "reply":
            shown["text"] = self.text
        if self.count is not None:
            shown["count"] = self.count
        return shown


NO_FAULT = Fault()


def parse(request: FaultRequest) -> Fault:
    """The fault that a request asks for; `reply: <literal>` in one string is the short form of kind and text.

    Raises:
        BadRequestError: an unknown kind, or `reply` without its text.
    """
    kind, colon, literal = request.fault.partition(":")
    kind = kind.strip()
    if kind not in KINDS or (colon and kind != "reply"):
        raise BadRequestError(f"fault {request.fault!r} is not one of: {', '.join(KINDS)}", param="fault")
    text = literal.removeprefix(" ") if colon else request.text
    if kind == "reply" and text is None:
        raise BadRequestError("reply needs its text: {'fault': 'reply', 'text': '...'}", param="text")
    usual = SLOW_SECONDS if kind == "slow" else 0.0
    return Fault(kind, usual if request.seconds is None else request.seconds, text or "", request.count)


class Faults:
    """The switch. Each generation request takes the current fault once."""

    def __init__(self) -> None:
        self.current = NO_FAULT

    def switch(self, fault: Fault) -> None:
        self.current = NO_FAULT if fault.kind == "none" else fault

    def take(self) -> Fault:
        """The fault for one request; a counted fault switches itself off after its last one."""
        taken = self.current
        if taken.count is not None:
            self.current = replace(taken, count=taken.count - 1) if taken.count > 1 else NO_FAULT
        return taken
