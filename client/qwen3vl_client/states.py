"""Words that this client acts by or says itself. It stands alone: a test compares them with those of the server."""

WAITING, MOVING, HOLD, STALE, ERROR, GOAL, STOPPED = (
    "waiting",
    "moving",
    "hold",
    "stale",
    "error",
    "goal",
    "stopped",
)
STATES = (WAITING, MOVING, HOLD, STALE, ERROR, GOAL, STOPPED)
ENDED = (STOPPED, GOAL)
"""States in which a task stays."""

STOP_REQUESTED, BLOCKED, EMERGENCY_STOP = "stop_requested", "blocked", "emergency_stop"
NO_IMAGE, PICTURE_TOO_OLD, PICTURE_CLOCK = "no_image", "picture_too_old", "picture_clock"
SERVERS_REASONS = (STOP_REQUESTED, BLOCKED, EMERGENCY_STOP, NO_IMAGE, PICTURE_TOO_OLD, PICTURE_CLOCK)
"""Reasons that the server gives for the same, which the client sees sooner."""

NO_ANSWER, ANSWER_TOO_OLD, BAD_ANSWER, OTHER_SERVER = "no_answer", "answer_too_old", "bad_answer", "other_server"
NOT_CONNECTED, NOT_STARTED, CLOSED = "not_connected", "not_started", "closed"
OWN_REASONS = (NO_ANSWER, ANSWER_TOO_OLD, BAD_ANSWER, OTHER_SERVER, NOT_CONNECTED, NOT_STARTED, CLOSED)
"""Reasons that only a client can have; one more begins with `thread_ended`."""
