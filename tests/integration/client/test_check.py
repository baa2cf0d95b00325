"""The parts of `qwen3vl robot check`: tables, bases by name, and what goes wrong before anything moves."""

import json
import math
from pathlib import Path

import pytest
from tests.support import bases

from qwen3vl_client.check import steps
from qwen3vl_client.check.base import BadBase, SimulatedBase, find_base, wrong_timeout
from qwen3vl_client.check.mover import Mover, Sample, Track
from qwen3vl_client.check.person import Nobody
from qwen3vl_client.check.report import Finding, all_passed, as_json, at_most, between, not_done, table
from qwen3vl_client.check.run import check
from qwen3vl_client.command import main
from qwen3vl_client.rest import RefusedError, Tasks
from qwen3vl_client.sync import SyncRobot

NOWHERE = "ws://127.0.0.1:9/vln/robot/a"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def simulated(**more: object) -> tuple[SimulatedBase, Clock]:
    clock = Clock()
    return SimulatedBase(clock=clock, **more), clock  # type: ignore[arg-type]


class TestSimulatedBase:
    def test_drives_what_it_is_told(self) -> None:
        base, clock = simulated()
        for turn in range(101):
            clock.now = turn / 20
            base.drive(0.2 if turn < 100 else 0.0, 0.0)
        clock.now += 3
        assert base.odometry() == pytest.approx((1.0, 0.0, 0.0), abs=0.02)

    def test_turns_left_and_yaw_is_of_one_turn(self) -> None:
        base, clock = simulated(timeout_seconds=None)
        base.drive(0.0, 1.0)
        clock.now = 4.1
        assert base.odometry()[2] == pytest.approx(4.0 - math.tau, abs=0.02)

    def test_stands_after_its_time_out(self) -> None:
        base, clock = simulated()
        base.drive(0.2, 0.0)
        clock.now = 2.0
        place = base.odometry()
        clock.now = 3600.0
        assert base.odometry() == place and place[0] == pytest.approx(0.2 * 0.25, abs=0.01)


class TestTrack:
    def test_since_when_it_stands(self) -> None:
        track = Track([Sample(turn / 10, min(turn, 10) * 0.05, 0.0, 0.0) for turn in range(20)])
        assert track.stood_at() == pytest.approx(1.0)

    def test_a_base_that_still_moves_does_not_stand(self) -> None:
        assert Track([Sample(turn / 30, turn * 0.0033, 0.0, 0.0) for turn in range(60)]).stood_at() is None
        assert Track([Sample(turn / 30, 0.0, 0.0, turn * 0.01) for turn in range(60)]).stood_at() is None

    def test_backwards_is_less_than_zero(self) -> None:
        track = Track([Sample(0, 1.0, 1.0, math.pi / 2), Sample(1, 1.0, 0.5, math.pi / 2)])
        assert track.forward == pytest.approx(-0.5) and track.moved == pytest.approx(0.5)

    def test_what_was_commanded(self) -> None:
        track = Track(commands=[(0.0, (0.2, 0.0)), (1.0, (0.2, 0.0)), (2.0, (0.0, 0.0)), (9.0, (0.0, 0.0))])
        assert track.commanded_metres == pytest.approx(0.4) and track.last_motion_commanded() == 1.0


class TestReport:
    def test_bounds(self) -> None:
        assert at_most("a", 1.0, 1.0, "s").passed and not at_most("a", 1.01, 1.0, "s", "slow").passed
        assert not at_most("a", None, 1.0, "s").passed, "what was not measured has not passed"
        assert between("a", 0.9, 0.9, 1.1, "").passed and not between("a", 0.8, 0.9, 1.1, "").passed
        assert not between("a", math.nan, 0.9, 1.1, "").passed

    def test_nothing_checked_is_no_pass(self) -> None:
        assert not all_passed([]) and not all_passed([Finding("p50", None, 1.0)])
        assert not all_passed([at_most("a", 1, 2, ""), not_done("b", "why")])

    def test_table_and_json(self) -> None:
        findings = [
            Finding("round trip, p50", None, 1.5, "ms"),
            at_most("round trip, p99", 12.345678, 200, "ms"),
            at_most("link", 0.5, 0.3, "s", "too slow"),
        ]
        assert table(findings).splitlines() == [
            "      measured  bound   unit  check",
            "-     1.5       -       ms    round trip, p50",
            "pass  12.346    <= 200  ms    round trip, p99",
            "FAIL  0.5       <= 0.3  s     link",
            "      too slow",
        ]
        report = json.loads(json.dumps(as_json(findings)))
        assert report["passed"] is False and report["checks"][2]["note"] == "too slow"


class TestBaseByName:
    def test_found(self) -> None:
        assert isinstance(find_base("tests.support.bases:Short"), bases.Short)

    @pytest.mark.parametrize("name", ["", "bases", "no.such.module:Base", "math:pi", "math:Base", "pathlib:Path"])
    def test_not_found(self, name: str) -> None:
        with pytest.raises(BadBase, match=name.partition(":")[0] or "module:Class"):
            find_base(name)

    @pytest.mark.parametrize("seconds", [None, 0, -1.0, 0.51, math.nan, "0.25"])
    def test_a_time_out_that_is_none(self, seconds: object) -> None:
        said = wrong_timeout(SimulatedBase(timeout_seconds=seconds))  # type: ignore[arg-type]
        assert said is not None and said.startswith("the base driver needs its own time-out")

    def test_a_time_out_that_is_right_or_not_told(self) -> None:
        assert wrong_timeout(SimulatedBase()) is None
        assert wrong_timeout(object()) is None  # type: ignore[arg-type]


class TestSteps:
    def test_a_long_time_out_is_told_from_none(self) -> None:
        [finding] = steps.own_timeout(Mover(bases.Late()))
        assert not finding.passed and finding.measured is not None and finding.measured > 0.9
        assert finding.note.endswith("this one is longer")

    def test_a_base_that_does_not_move(self) -> None:
        [finding] = steps.own_timeout(Mover(SimulatedBase(linear_scale=0.0)))
        assert not finding.passed and "does it drive?" in finding.note

    def test_backwards(self) -> None:
        findings = steps.scale(Mover(bases.Reversed()), lambda: None)
        assert not findings[0].passed and "drives backwards" in findings[0].note

    @pytest.mark.parametrize(("base", "words"), [(bases.Broken(), "/dev/ttyUSB0"), (bases.Lost(), "no place")])
    def test_a_base_that_fails_is_a_finding(
        self, base: SimulatedBase, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(steps, "CONNECT_SECONDS", 0.1)
        with SyncRobot(NOWHERE) as robot:
            findings = check(robot, base, Nobody())
        notes = {finding.name: finding.note for finding in findings if not finding.passed}
        assert "no answer" in notes["round trip to the server"]
        assert words in notes["base driver's own time-out"] and "link cut" in notes


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["ftp://h", "--simulated", "--yes"], "http://HOST"),
            (["ws://", "--simulated", "--yes"], "ws://HOST"),
            ([NOWHERE, "--simulated", "--yes", "--key-file", "/no/such/file"], "--key-file"),
            ([NOWHERE, "--base", "nothing"], "module:Class"),
            ([NOWHERE, "--base", "tests.integration.client.test_check:Real", "--yes"], "somebody must agree"),
            (["http://127.0.0.1:9", "--simulated", "--yes"], "127.0.0.1:9"),
        ],
    )
    def test_a_mistake_is_named_before_anything_moves(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["robot", "check", *arguments])
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert words in said.err and not said.out

    def test_an_empty_key_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "key").write_text("\n")
        with pytest.raises(SystemExit) as ended:
            main(["robot", "check", NOWHERE, "--simulated", "--yes", "--key-file", str(tmp_path / "key")])
        assert ended.value.code == 2 and "is empty" in capsys.readouterr().err


class Real:
    """A base that is not simulated."""

    def drive(self, linear_mps: float, angular_rps: float) -> None:
        raise AssertionError("nobody agreed to this")

    def odometry(self) -> tuple[float, float, float]:
        return 0.0, 0.0, 0.0


def test_tasks_of_an_address_that_is_none() -> None:
    with pytest.raises(ValueError, match="http://HOST"):
        Tasks("file:///etc/passwd")
    assert Tasks("https://h:8/").socket_url("t") == "wss://h:8/vln/ws/t"
    with pytest.raises(RefusedError, match=r"127\.0\.0\.1:9"):
        Tasks("http://127.0.0.1:9").get("t")
