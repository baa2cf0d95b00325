"""What is noted of a walk while it goes on: where the time went, how far was driven blind, how often it stood."""

import math
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_client.freshness import Command
from qwen3vl_world.verdict import Standard
from qwen3vl_world.world import World

PAUSE_SECONDS = 0.5
"""Standing for this long between two drives is a pause."""


@dataclass
class Watch:
    """Looks on at every turn of the robot's control loop.

    Attributes:
        standard: is shown where the robot truly is.
        blind_metres: the most that was truly driven, braking included, since the picture of the plan that was driven.
        pauses: times that it stood for longer than a moment and then drove on.
    """

    world: World
    standard: Standard | None = None
    blind_metres: float = 0.0
    pauses: int = 0
    seconds_in_state: dict[str, float] = field(default_factory=dict)
    _now: float = 0.0
    _stood_since: float = math.inf
    _captured: float | None = None
    _at_capture: float = 0.0

    def look(self, now: float, command: Command, answer: dict[str, Any] | None) -> None:
        """One turn."""
        state = command.state
        self.seconds_in_state[state] = self.seconds_in_state.get(state, 0.0) + now - self._now
        self._now = now
        if self.standard is not None:
            self.standard.look(now, self.world.pose)
        moves = bool(command.linear_mps or command.angular_rps)
        if moves:
            self.pauses += now - self._stood_since > PAUSE_SECONDS
            self._stood_since = math.inf
        elif self._stood_since == math.inf and self.world.path_length > 0:
            self._stood_since = now
        self._measure_blind(command, answer)

    def _measure_blind(self, command: Command, answer: dict[str, Any] | None) -> None:
        if answer is not None and command.linear_mps and answer["captured_at"] not in (None, self._captured):
            self._captured = answer["captured_at"]
            self._at_capture = self.world.shot(self._captured).driven_metres
        if self._captured is not None:
            self.blind_metres = max(self.blind_metres, self.world.path_length - self._at_capture)
