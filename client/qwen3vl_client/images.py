"""Whether an image is young enough to be walked by, by the robot's own clock. Pure.

No other clock can tell: a server sees only how ages differ, and a camera that is late from the start differs never."""

from dataclasses import dataclass

from qwen3vl_client import states

YOUNG_SECONDS = 0.5
"""An older image shows where the robot was; it is not sent."""
OLD_IN_A_ROW = 3
"""After so many of them the robot stands, whatever plan is under way."""
AHEAD_SECONDS, LONGEST_SECONDS = 0.05, 3600.0
"""A capture time further ahead, or longer ago, is of another clock."""
CLOCK_FUNCTION = "qwen3vl_client.boot_time()"


@dataclass
class Images:
    """The ages of one robot's images, over all its connections.

    Attributes:
        withheld: images that were too old to be sent.
        undated: images sent for which the program gave no capture time, so that nobody knows how late the camera is.
    """

    withheld: int = 0
    undated: int = 0
    _old_in_a_row: int = 0
    _age: float = 0.0
    _off: float | None = None

    def of_this_clock(self, captured_seconds: float, now: float, *, image: bool = True) -> bool:
        """Whether the capture time can be of the robot's clock; nothing with another one may be sent."""
        age = now - captured_seconds
        if not -AHEAD_SECONDS <= age <= LONGEST_SECONDS:
            self._off = age
            return False
        if image:
            self._off = None
        return True

    def young(self, age_seconds: float, *, dated: bool = True) -> bool:
        """Take the image that is to be sent next; whether it may be."""
        self._age = age_seconds
        if age_seconds > YOUNG_SECONDS:
            self._old_in_a_row += 1
            self.withheld += 1
            return False
        self._old_in_a_row = 0
        self.undated += not dated
        return True

    def trouble(self, *, unseen: bool) -> tuple[str, str] | None:
        """Reason and sentence why nothing may be driven; None where the images are well.

        Args:
            unseen: no image was sent for too long.
        """
        if self._off is not None:
            side = f"{self._off:.2f} s ago" if self._off > 0 else f"{-self._off:.2f} s ahead"
            return states.PICTURE_CLOCK, f"captured_seconds is {side} by another clock; take it from {CLOCK_FUNCTION}"
        if self._old_in_a_row >= OLD_IN_A_ROW or (unseen and self._old_in_a_row):
            return (
                states.PICTURE_TOO_OLD,
                f"the newest picture is {self._age:.2f} s old, more than {YOUNG_SECONDS:g} s",
            )
        return None
