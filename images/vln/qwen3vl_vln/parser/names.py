"""Names of actions, and one spelling for all texts. Pure."""

import unicodedata

_MOVES = {
    "forward": (
        *("forward", "forwards", "move_forward", "move_forwards", "go_forward", "walk_forward", "drive_forward"),
        *("step_forward", "straight", "go_straight", "move_straight", "straight_ahead", "go_straight_ahead"),
        *("move_ahead", "go_ahead", "advance", "前进", "向前", "往前", "向前走", "往前走", "直行", "直走", "向前移动"),
    ),
    "left": (
        *("left", "turn_left", "rotate_left", "go_left", "move_left", "left_turn"),
        *("左转", "向左转", "往左转", "左拐", "向左", "往左", "左"),
    ),
    "right": (
        *("right", "turn_right", "rotate_right", "go_right", "move_right", "right_turn"),
        *("右转", "向右转", "往右转", "右拐", "向右", "往右", "右"),
    ),
}
STOPS = {"stop", "停止", "停", "停下", "halt"}
HOLDS = {"hold", "wait", "stay", "none", "等待", "保持"}
_DONE = {"done", "finish", "finished", "complete", "completed", "goal_reached", "arrived"}
_MEANINGS = {
    **{name: meaning for meaning, names in _MOVES.items() for name in names},
    **dict.fromkeys(STOPS, "stop"),
    **dict.fromkeys(HOLDS, "hold"),
    **dict.fromkeys(_DONE, "done"),
}


def plain(text: str) -> str:
    """A text without differences of width, case and apostrophe."""
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'").strip()


def action(name: str) -> str | None:
    """The meaning of an action's name: forward, left, right, stop, hold, done; None for others."""
    return _MEANINGS.get(plain(name).strip(" .!。").replace(" ", "_").replace("-", "_"))


def moves(beginning: str) -> list[str]:
    """The moves (forward, left, right) that an action's name can mean which begins so."""
    begun = plain(beginning).replace(" ", "_").replace("-", "_")
    return [meaning for meaning, names in _MOVES.items() if any(name.startswith(begun) for name in names)]
