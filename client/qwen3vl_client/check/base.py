"""What a check needs of a robot's base driver, how it is found by name, and a base that is simulated."""

import importlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

LONGEST_TIMEOUT_SECONDS = 0.5


class BadBase(Exception):
    """What was named is no base driver, or one that must not be moved."""


@runtime_checkable
class Base(Protocol):
    """A base driver, as an adapter that its user writes.

    It may also have `timeout_seconds`, the time-out of the driver itself (not of this adapter): after so long without
    `drive` the base stands. And `close()`, called at the end.
    """

    def drive(self, linear_mps: float, angular_rps: float) -> None:
        """Command a velocity, forward and counter-clockwise. Returns at once."""

    def odometry(self) -> tuple[float, float, float]:
        """x and y in metres, yaw in radians counter-clockwise, in a frame that does not jump."""


def find_base(name: str) -> Base:
    """Make the base that `module:Class` names; modules of the current folder are found too.

    Raises:
        BadBase: there is none, or it lacks a method.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise BadBase(f"{name!r}: a base is named as module:Class, for example my_robot:Base")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise BadBase(f"{name!r} cannot be made: {error}") from error
    if not isinstance(made, Base):
        raise BadBase(f"{name!r} lacks drive(linear_mps, angular_rps) or odometry() -> (x, y, yaw)")
    return made


def wrong_timeout(base: Base) -> str | None:
    """Why this base must not be moved by what it says itself, or None; one that says nothing is measured."""
    if not hasattr(base, "timeout_seconds"):
        return None
    seconds = base.timeout_seconds
    if isinstance(seconds, int | float) and 0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        return None
    return (
        f"the base driver needs its own time-out, more than 0 and at most {LONGEST_TIMEOUT_SECONDS:g} s; "
        f"its timeout_seconds is {seconds!r}"
    )


@dataclass
class SimulatedBase:
    """A differential drive with a lag of first order and a time-out of its own, on the real clock.

    Attributes:
        timeout_seconds: after so long without a command it slows to zero; None: it never does.
        lag_seconds: time constant of both velocities.
        linear_scale, angular_scale: what it makes of a command; 1 is right.
    """

    timeout_seconds: float | None = 0.25
    lag_seconds: float = 0.1
    linear_scale: float = 1.0
    angular_scale: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _x: float = 0.0
    _y: float = 0.0
    _yaw: float = 0.0
    _linear: float = 0.0
    _angular: float = 0.0
    _target: tuple[float, float] = (0.0, 0.0)
    _commanded_at: float = -math.inf
    _at: float | None = None

    def drive(self, linear_mps: float, angular_rps: float) -> None:
        """Command a velocity."""
        now = self.clock()
        self._pass(now)
        self._target = linear_mps * self.linear_scale, angular_rps * self.angular_scale
        self._commanded_at = now

    def odometry(self) -> tuple[float, float, float]:
        """Where it is."""
        self._pass(self.clock())
        return self._x, self._y, math.remainder(self._yaw, math.tau)

    def _pass(self, now: float) -> None:
        at = now if self._at is None else self._at
        self._at = now
        ends = math.inf if self.timeout_seconds is None else self._commanded_at + self.timeout_seconds
        while at < now:
            if at >= ends and abs(self._linear) + abs(self._angular) < 1e-6:
                self._linear = self._angular = 0.0
                return
            step = min(0.005, now - at)
            v, w = self._target if at < ends else (0.0, 0.0)
            share = 1 - math.exp(-step / self.lag_seconds)
            self._linear += share * (v - self._linear)
            self._angular += share * (w - self._angular)
            middle = self._yaw + self._angular * step / 2
            self._x += self._linear * step * math.cos(middle)
            self._y += self._linear * step * math.sin(middle)
            self._yaw += self._angular * step
            at += step
