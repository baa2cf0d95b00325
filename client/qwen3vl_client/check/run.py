"""All checks in order. Whatever happens, the base is told to stand."""

import contextlib
from collections.abc import Callable

from qwen3vl_client.check import steps
from qwen3vl_client.check.base import Base, wrong_timeout
from qwen3vl_client.check.mover import Mover
from qwen3vl_client.check.person import Person, say
from qwen3vl_client.check.report import Finding, all_passed, not_done
from qwen3vl_client.sync import SyncRobot

Step = Callable[[], list[Finding]]


def check(robot: SyncRobot, base: Base, person: Person) -> list[Finding]:
    """Check the way to the server, then the base.

    The time-out of the base comes first of all that moves: without one nothing else here would be safe.
    """
    say("Round trip to the server: five seconds, nothing moves.")
    findings = steps.round_trip(robot)
    refusal = wrong_timeout(base)
    if refusal is not None:
        return [*findings, Finding("base driver's own time-out", passed=False, note=refusal)]
    mover = Mover(base)
    slow = f"{steps.SLOW_MPS:g} m/s"
    timeout = _moving(
        "base driver's own time-out",
        f"forward at {slow} for 1 s, then no command any more; about 0.15 m, at most 0.4 m",
        lambda: steps.own_timeout(mover),
        mover,
        person,
    )
    findings += timeout
    plan: list[tuple[str, str, Step]] = [
        (
            "left turn",
            f"turn LEFT on the spot at {steps.TURN_RPS:g} rad/s, about {steps.TURNED_RADIANS:g} rad",
            lambda: steps.left_turn(
                mover, lambda: person.saw("Seen from above, did it turn left (counter-clockwise)?")
            ),
        ),
        (
            "1 m forward",
            f"straight FORWARD {steps.SCALE_METRES:g} m at {steps.SCALE_MPS:g} m/s; mark where it stands now",
            lambda: steps.scale(mover, lambda: person.metres("How far did it go by the tape?")),
        ),
        (
            "link cut",
            f"forward at {slow}, and after a second the link to the server is cut; at most 0.3 m",
            lambda: steps.link_cut(mover, robot),
        ),
    ]
    for name, movement, step in plan:
        if not all_passed(timeout):
            findings.append(not_done(name, "only a base that stands by itself is moved further"))
        else:
            findings += _moving(name, movement, step, mover, person)
    return findings


def _moving(name: str, movement: str, step: Step, mover: Mover, person: Person) -> list[Finding]:
    if not person.agrees(movement):
        return [not_done(name, "nobody agreed")]
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - the adapter is the user's; whatever it raises is a finding
        return [not_done(name, f"{type(error).__name__}: {error}")]
    finally:
        with contextlib.suppress(Exception):
            mover.halt()
