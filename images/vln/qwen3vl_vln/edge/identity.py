"""Who asks, and what that key may do. Robots' keys come from a folder, the operator's from the environment.

The name of an entry may end in rights, as in `dashboard.view` or `panel.view.stop`; without any, the key has all."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qwen3vl_common.keys import KeyRing, bearer_key
from qwen3vl_vln.edge.own_robots import is_for
from qwen3vl_vln.errors import NoKeyError, NoRightError, RobotNotOfKeyError

DRIVE, VIEW, STOP = "drive", "view", "stop"
EVERYTHING = frozenset((DRIVE, VIEW, STOP))
BEARER_SUBPROTOCOL = "qwen3vl.bearer."


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: of the key, never the key.
        operator: acts for Kubernetes objects.
        robots: names of those that it is for, with `*` for anything; None: every one.
    """

    name: str
    rights: frozenset[str] = EVERYTHING
    operator: bool = False
    robots: tuple[str, ...] | None = None

    def need_robot(self, robot: str) -> None:
        """See that the key is for this robot.

        Raises:
            RobotNotOfKeyError: it is not.
        """
        if not is_for(self.robots, robot):
            robots = ", ".join(self.robots or ())
            raise RobotNotOfKeyError(f"the key {self.name!r} is not for robot {robot!r}; it is for {robots}")

    def need_stop(self, robot: str) -> None:
        """See that the key may stop this robot: one that may do nothing else stops every one.

        Raises:
            NoRightError, RobotNotOfKeyError: it may not.
        """
        self.need(DRIVE, STOP)
        if self.rights != {STOP}:
            self.need_robot(robot)

    def need(self, *rights: str) -> None:
        """See that the key has one of these rights.

        Raises:
            NoRightError: it has none of them.
        """
        if not self.rights & set(rights):
            missing = " or ".join(rights)
            advice = "what stands behind a dot in the name of its entry are its rights"
            raise NoRightError(f"the key {self.name!r} has not the right {missing}; {advice}")


class Authenticator:
    """Tells callers by their keys.

    Args:
        ring: the robots' keys; None lets everybody in.
        operator_key: None where no operator is.
    """

    def __init__(self, ring: KeyRing | None, operator_key: str | None) -> None:
        self._ring = ring
        self._operator_key = operator_key.encode() if operator_key else None

    @property
    def open(self) -> bool:
        """Whether everybody may enter."""
        return self._ring is None

    def caller(self, headers: Mapping[str, str], subprotocols: Iterable[str] = ()) -> Caller:
        """Who sent these headers, or this subprotocol of a WebSocket.

        Raises:
            NoKeyError: no key, or an unknown one.
        """
        header = headers.get("authorization", "")
        key = bearer_key(header) if header[:7].lower() == "bearer " else _from_subprotocol(subprotocols)
        if key and self._operator_key and hmac.compare_digest(key.encode(), self._operator_key):
            return Caller("operator", operator=True)
        if self._ring is None:
            return Caller("anonymous")
        name = self._ring.client(key) if key else None
        if name is None:
            raise NoKeyError("send Authorization: Bearer <key> with one of the robots' keys")
        return Caller(name, rights(name), robots=self._ring.robots(name))


def maker_of(caller: Caller, address: str) -> str:
    """Whom a task that a client makes is counted for: one key may be in many hands."""
    return f"{caller.name}@{address}"


def rights(entry: str) -> frozenset[str]:
    """The rights that the name of a key's entry gives: all without a dot, else those that stand behind dots."""
    _, *words = entry.split(".")
    return frozenset(words) & EVERYTHING if words else EVERYTHING


def _from_subprotocol(subprotocols: Iterable[str]) -> str:
    # Browsers cannot set headers on a WebSocket.
    for offered in subprotocols:
        if offered.startswith(BEARER_SUBPROTOCOL):
            text = offered.removeprefix(BEARER_SUBPROTOCOL)
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""
