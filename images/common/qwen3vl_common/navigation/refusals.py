"""The words of refusals that the operator acts on. Pure."""

from enum import StrEnum


class RefusalCode(StrEnum):
    """`error.code` of a refusal of the VLN API."""

    ROBOT_BUSY = "robot_busy"
    """The robot has another unfinished task."""
    FINISHED = "finished"
    """The task has ended; its record stands beside the error."""
    STALE_GENERATION = "stale_generation"
    """A newer generation of the NavTask was asserted before."""
    UNKNOWN_TASK = "unknown_task"
    """There is no such task. A 404 without this word is of something between here and there."""
