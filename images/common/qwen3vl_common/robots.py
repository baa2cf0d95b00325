"""Names of robots: what the NavTask's schema and the VLN API both take.

Standard library only, because the operator imports it too."""

import re

ROBOT_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LONGEST_ROBOT = 63
_ROBOT = re.compile(ROBOT_PATTERN.removeprefix("^").removesuffix("$"))


def is_robot_name(text: str) -> bool:
    """Whether a robot may be called that: 1 to 63 letters, digits, dots, underscores and hyphens, neither first nor
    last one of the latter three."""
    return _ROBOT.fullmatch(text) is not None
