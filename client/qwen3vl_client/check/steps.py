"""The checks themselves. Each moves the base by little, says what it found, and leaves it standing."""

import time
from collections.abc import Callable

from qwen3vl_client.check.base import LONGEST_TIMEOUT_SECONDS
from qwen3vl_client.check.mover import PERIOD_SECONDS, Mover, Track
from qwen3vl_client.check.report import Finding, at_most, between, not_done
from qwen3vl_client.sync import SyncRobot

SLOW_MPS, SCALE_MPS, TURN_RPS = 0.1, 0.2, 0.3
MOVED_METRES = 0.03
TURNED_RADIANS, TURN_METRES, TURN_SECONDS = 0.5, 0.3, 4.0
SCALE_METRES, FURTHEST_METRES = 1.0, 1.3
BRAKING_SECONDS = 0.25
SILENCE_SECONDS = 1.5
LINK_SECONDS, STANDS_SECONDS, BACK_SECONDS = 0.3, 1.0, 5.0
ROUND_TRIP_SECONDS, ROUND_TRIP_P99_MS, JITTER_MS, MISSING_PERCENT = 5.0, 200.0, 150.0, 1.0
CONNECT_SECONDS = 10.0
NEEDS_TIMEOUT = "the base driver needs its own time-out"


def round_trip(robot: SyncRobot) -> list[Finding]:
    """Ask 30 times a second for 5 s; nothing moves."""
    if not _until_fresh(robot, CONNECT_SECONDS):
        return [not_done("round trip to the server", f"no answer: {robot.refusal or 'the server is silent'}")]
    before = robot.statistics
    began = time.monotonic()
    turn = 0
    while time.monotonic() - began < ROUND_TRIP_SECONDS:
        robot.tick()
        turn += 1
        time.sleep(max(0.0, began + turn * PERIOD_SECONDS - time.monotonic()))
    time.sleep(PERIOD_SECONDS)
    found = robot.statistics
    missing = found.unanswered - before.unanswered + max(0, found.reconnects - before.reconnects)
    asked = found.count - before.count + missing
    share = 100.0 * missing / asked if asked else None
    slow = "an answer is driven until 250 ms after its frame was sent: the robot would stand now and then"
    return [
        Finding("round trip, p50", None, found.p50_ms, "ms"),
        at_most("round trip, p99", found.p99_ms, ROUND_TRIP_P99_MS, "ms", slow),
        at_most("jitter of the round trip, p99 - p50", found.jitter_ms, JITTER_MS, "ms", slow),
        at_most("answers that never came", share, MISSING_PERCENT, "%", "frames or answers are lost on the way"),
    ]


def own_timeout(mover: Mover) -> list[Finding]:
    """Drive slowly, then say nothing any more: the base must stand by itself."""
    name = "base stands by itself after the last command"
    track = mover.move(lambda _: (SLOW_MPS, 0.0), seconds=1.0)
    if track.moved < MOVED_METRES:
        mover.stand()
        return [not_done(name, f"the base moved {track.moved:.3f} m in a second at {SLOW_MPS:g} m/s; does it drive?")]
    told_at = track.last_motion_commanded()
    track = mover.move(lambda _: None, seconds=SILENCE_SECONDS, track=track)
    mover.stand()
    stood_at = track.stood_at()
    note = f"{NEEDS_TIMEOUT}: it still moved {SILENCE_SECONDS:g} s after the last command"
    if stood_at is not None:
        note = f"{NEEDS_TIMEOUT} of at most {LONGEST_TIMEOUT_SECONDS:g} s; this one is longer"
    bound = LONGEST_TIMEOUT_SECONDS + BRAKING_SECONDS
    return [at_most(name, None if stood_at is None else max(0.0, stood_at - told_at), bound, "s", note)]


def left_turn(mover: Mover, seen_left: Callable[[], bool | None]) -> list[Finding]:
    """Turn with a positive angular velocity: that is to the left, and yaw rises.

    Args:
        seen_left: what the person saw; None where nobody was asked.
    """

    def enough(track: Track) -> bool:
        return abs(track.turned) >= TURNED_RADIANS or track.moved > TURN_METRES

    track = mover.move(lambda _: (0.0, TURN_RPS), seconds=TURN_SECONDS, enough=enough)
    track = mover.stand(track)
    turned, moved = track.turned, track.moved
    note = "the odometry does not turn; does the base, and does it have room?"
    if turned < -TURNED_RADIANS / 2:
        note = "a positive angular velocity makes yaw fall: swap the sign of the command or of the odometry"
    findings = [between("left turn: yaw rises", turned, TURNED_RADIANS / 2, 4 * TURNED_RADIANS, "rad", note)]
    findings.append(at_most("left turn: on the spot", moved, TURN_METRES, "m", "it moves away while it turns"))
    saw = seen_left()
    if saw is not None:
        note = "" if saw else "the base turns to the right: command and odometry both have the wrong sign, or one has"
        findings.append(Finding("left turn: as seen by the person", saw, note=note))
    return findings


def scale(mover: Mover, measured: Callable[[], float | None]) -> list[Finding]:
    """Drive what should be one metre, and compare what was commanded, what odometry says and what a tape says.

    Args:
        measured: metres by the tape; None where nobody measured.
    """
    seconds = SCALE_METRES / SCALE_MPS
    track = mover.move(
        lambda _: (SCALE_MPS, 0.0), seconds=seconds, enough=lambda track: track.moved > FURTHEST_METRES * SCALE_METRES
    )
    track = mover.stand(track)
    commanded, forward = track.commanded_metres, track.forward
    note = f"odometry says {forward:.3f} m for {commanded:.3f} m commanded"
    if forward < 0:
        note = f"a positive linear velocity drives backwards, or x of the odometry has the wrong sign; {note}"
    findings = [between("1 m forward: odometry / commanded", forward / commanded, 0.9, 1.1, "", note)]
    tape = measured()
    if tape is not None and tape > 0:
        note = f"odometry says {forward:.3f} m and the tape {tape:.3f} m"
        findings.append(between("1 m forward: odometry / tape", forward / tape, 0.95, 1.05, "", note))
    veer = abs(track.turned)
    findings.append(at_most("1 m forward: heading kept", veer, 0.2, "rad", "it does not drive straight"))
    return findings


def link_cut(mover: Mover, robot: SyncRobot) -> list[Finding]:
    """Drive slowly while answers are fresh, then hear nothing any more: the client's watchdog must say zero."""
    name = "link cut: last command that is not zero"
    if not _until_fresh(robot, CONNECT_SECONDS):
        return [not_done(name, f"no answer: {robot.refusal or 'the server is silent'}")]
    cut_at: float | None = None
    fell = False

    def velocity(seconds: float) -> tuple[float, float]:
        nonlocal cut_at, fell
        robot.tick()
        if seconds >= 1.0 and cut_at is None:
            cut_at = time.monotonic()
            robot.cut()
        # Once it has fallen it stays: a connection that comes back must not hide how long it took.
        fell = fell or not robot.command().fresh
        return (0.0, 0.0) if fell else (SLOW_MPS, 0.0)

    track = mover.move(velocity, seconds=1.0 + SILENCE_SECONDS)
    mover.stand()
    if cut_at is None or track.last_motion_commanded() < cut_at - LINK_SECONDS:
        return [not_done(name, "the answers were not fresh even before: see the round trip")]
    stood_at = track.stood_at()
    back = _until_fresh(robot, BACK_SECONDS)
    return [
        at_most(name, max(0.0, track.last_motion_commanded() - cut_at), LINK_SECONDS, "s", "the client is too slow"),
        at_most(
            "link cut: base stands",
            None if stood_at is None else max(0.0, stood_at - cut_at),
            STANDS_SECONDS,
            "s",
            "the base brakes too slowly, or goes on after a command of zero",
        ),
        Finding("link cut: connected again", back, note="" if back else f"not within {BACK_SECONDS:g} s"),
    ]


def _until_fresh(robot: SyncRobot, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        robot.tick()
        time.sleep(PERIOD_SECONDS)
        if robot.command().fresh:
            return True
    return False
