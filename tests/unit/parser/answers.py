"""Answers as a model writes them, for the tests of the parser."""

import json

STEP = {"dx": 0.4, "dy": 0.0, "dtheta": 0.1}
BACK = {"dx": -0.4, "dy": 0.0, "dtheta": 0.0}


def answer(*steps: object, **more: object) -> str:
    """An answer of the profile `waypoints`, with these keys changed or beside."""
    return json.dumps({"reached_goal": False, "waypoints": list(steps), "action": "forward"} | more)
