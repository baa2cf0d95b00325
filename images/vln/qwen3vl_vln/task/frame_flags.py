"""What is wrong with a frame itself. Pure."""

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.task.events import Frame


def flag_of(frame: Frame, *, pictures_late: bool) -> Reason | None:
    """The first thing that is wrong with a frame which came in its order; None if nothing is.

    Args:
        pictures_late: the newest images were too old, and that was no mere hiccup.
    """
    if frame.emergency_stop:
        return Reason.EMERGENCY_STOP
    if frame.blocked:
        return Reason.BLOCKED
    if frame.odometry_bad:
        return Reason.BAD_ODOMETRY
    if frame.refused is not None:
        return frame.refused
    if pictures_late and frame.image is None:
        return Reason.PICTURE_TOO_OLD
    return Reason.FRAME_DELAYED if frame.delayed else None
