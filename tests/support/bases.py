"""Bases with one mistake each."""

import math
from dataclasses import dataclass

from qwen3vl_client.check.base import SimulatedBase


@dataclass
class WrongWay(SimulatedBase):
    """Turns right when it is told to turn left."""

    angular_scale: float = -1.0


@dataclass
class Short(SimulatedBase):
    """Drives 80 cm for a metre."""

    linear_scale: float = 0.8


@dataclass
class Reversed(SimulatedBase):
    """Drives backwards."""

    linear_scale: float = -1.0


@dataclass
class Deaf(SimulatedBase):
    """Says that it has a time-out, and drives on for ever after its last command."""

    def drive(self, linear_mps: float, angular_rps: float) -> None:
        super().drive(linear_mps, angular_rps)
        self._commanded_at = math.inf


@dataclass
class Honest(SimulatedBase):
    """Has no time-out and says so."""

    timeout_seconds: float | None = None


@dataclass
class Late(SimulatedBase):
    """Stands a second after the last command, and says that it does so sooner."""

    timeout_seconds: float | None = 0.5

    def drive(self, linear_mps: float, angular_rps: float) -> None:
        super().drive(linear_mps, angular_rps)
        self._commanded_at += 0.5


@dataclass
class Broken(SimulatedBase):
    """Its cable is loose."""

    def odometry(self) -> tuple[float, float, float]:
        raise OSError("no answer from /dev/ttyUSB0")


@dataclass
class Lost(SimulatedBase):
    """Knows no place."""

    def odometry(self) -> tuple[float, float, float]:
        return float("nan"), 0.0, 0.0
