"""Which robots a key is for. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from qwen3vl_vln.errors import NoRobotNamedError


def is_for(robots: Sequence[str] | None, robot: str) -> bool:
    """Whether a key that is bound to these names, with `*` for anything, is for the robot; None is for every one."""
    return robots is None or any(fnmatchcase(robot, pattern) for pattern in robots)


def named(robots: Sequence[str] | None, robot: str) -> str:
    """The robot of a new task: the one that was named, or else the only one that the key names.

    Raises:
        NoRobotNamedError: none was, and the key names none or several.
    """
    if robot or robots is None:
        return robot
    exact = [name for name in robots if "*" not in name]
    if len(exact) != 1:
        raise NoRobotNamedError(f"name the robot: this key is for {', '.join(robots)}", param="config.robot")
    return exact[0]
