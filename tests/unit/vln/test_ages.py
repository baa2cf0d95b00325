"""A picture's age by the robot's own clock decides whether it is walked by; a plan counts from when it was taken."""

import base64
import json
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_client import protocol
from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge.wire import Bounds, read
from qwen3vl_vln.task.delays import ADVICE, Delay, Stamps

from .door import Door
from .samples import FORWARD, Walk
from .socket_server import Server

UNIX = 1_700_000_000.0


def walking() -> Walk:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD, FORWARD)
    assert walk.run(0.5)[-1]["state"] == "moving"
    return walk


def wired(age_seconds: float | None, **more: Any) -> Any:
    data = protocol.message(1, 5.0, jpeg=jpeg(), age_seconds=age_seconds)
    return read(data, 100.0, Bounds(), Delay(), **more)


class TestOfOneFrame:
    @pytest.mark.parametrize(
        ("age", "dated", "refused"),
        [
            (0.5, True, None),
            (0.0, True, None),
            (0.51, True, Reason.PICTURE_TOO_OLD),
            (0.51, False, Reason.PICTURE_TOO_OLD),
            (3601.0, True, Reason.PICTURE_CLOCK),
            (1e9, True, Reason.PICTURE_CLOCK),
            (None, True, Reason.PICTURE_CLOCK),
            (None, False, None),
        ],
    )
    def test_who_says_how_old_its_pictures_are_is_believed(
        self, age: float | None, dated: bool, refused: Reason | None
    ) -> None:
        frame = wired(age, dated=dated)
        assert frame.refused is refused and frame.untimed is (age is None)

    def test_the_smallest_age_is_a_millisecond(self) -> None:
        assert wired(0.0).age_seconds == wired(-0.04).age_seconds == 0.001

    def test_a_picture_that_is_too_old_is_refused_and_the_plan_waits(self) -> None:
        walk = walking()
        body = walk.frame(age_seconds=0.62, refused=Reason.PICTURE_TOO_OLD)
        assert not walk.offered and (body["linear_vel"], body["state"]) == (0.0, "stale")
        assert body["reason"] == "picture_too_old" and "0.62 s" in body["message"] and walk.task.follower is not None
        walk.now += 0.05
        assert walk.frame()["state"] == "moving"

    def test_two_that_were_withheld_do_not_stop_a_plan_and_three_do(self) -> None:
        walk = walking()
        for count in range(1, 5):
            walk.now += 0.05
            body = walk.frame(image=None, withheld=True, age_seconds=1.5)
            assert (body["state"] == "moving") is (count < 3), count
            walk.now += 0.02
            assert (walk.frame(image=None)["state"] == "moving") is (count < 3), "nor does a tick after them"
        assert (body["state"], body["reason"]) == ("stale", "picture_too_old") and "1.50 s" in body["message"]
        assert walk.task.follower is not None, "it drops nothing"
        walk.now += 0.05
        assert walk.frame()["state"] == "moving"

    def test_after_a_second_without_a_young_one_it_is_the_reason(self) -> None:
        walk = walking()
        walk.now += 0.1
        walk.frame(image=None, withheld=True, age_seconds=0.7)
        body = walk.run(1.0, image=None)[-1]
        assert (body["state"], body["reason"]) == ("stale", "picture_too_old")

    def test_a_plan_counts_from_when_its_picture_was_taken(self) -> None:
        walk = walking()
        told = sum(answer["linear_vel"] for answer in walk.run(0.4)) / 30
        assert told > 0.1
        walk.now += 1 / 30
        walk.frame(age_seconds=0.4)
        walk.result("plan", FORWARD)
        assert walk.task.follower is not None and walk.task.follower.started_at == pytest.approx(walk.now - 0.4)
        walk.now += 0.001
        body = walk.frame(image=None)
        assert body["age_ms"] == 401
        assert body["waypoints"][0]["dx"] == pytest.approx(0.5 - told, abs=0.02)

    def test_a_goal_is_confirmed_by_a_picture_that_was_taken_from_where_it_stands(self) -> None:
        walk = walking()
        walk.frame()
        walk.result("goal")
        walk.run(0.6)
        walk.frame(age_seconds=0.4)
        walk.result("goal")
        assert walk.task.verdict is None
        walk.run(0.5)
        walk.result("goal")
        assert walk.task.verdict == "GoalReached"

    async def test_untimed_pictures_are_marked(self) -> None:
        server = Server()
        robot = server.connect()
        assert (await robot.heard())["type"] == "websocket.accept"
        assert (await robot.says(jpeg(seed=1)))["untimed"] is True
        assert (await robot.says(protocol.message(1, 5.0, jpeg=jpeg(seed=2), age_seconds=0.1)))["untimed"] is False
        await robot.leaves()


class TestDelay:
    def test_a_clock_that_is_stepped_back_is_compared_anew_within_two_seconds_and_said(self) -> None:
        delay, notes = Delay(), []
        for number in range(300):
            now = 1000.0 + number / 30
            stepped = 1.0 if number >= 150 else 0.0
            late = delay.of(now, 5.0 + number / 30 - stepped) > 0.3
            if late:
                notes.append((now, delay.note))
        assert notes[0][0] == pytest.approx(1005.0) and notes[-1][0] < 1007.0
        assert all("went back by" in note for _, note in notes) and "set back by 0.97 s" in delay.note

    def test_twice_too(self) -> None:
        delay = Delay()
        late = [delay.of(1000.0 + n / 30, 5.0 + n / 30 - (n > 30) - (n > 45)) > 0.3 for n in range(150)]
        assert any(late[46:70]) and not any(late[46 + 60 :])

    def test_one_old_message_is_no_step(self) -> None:
        delay = Delay()
        late = [delay.of(1000.0 + n / 30, 5.0 + n / 30 - (n == 30)) > 0.3 for n in range(150)]
        assert late.count(True) == 1 and delay.note == ""

    def test_pictures_and_ticks_of_unknown_age_are_not_compared(self) -> None:
        delay = Delay()
        for number in range(30):
            now = 1000.0 + number / 10
            tick = read(protocol.message(2 * number, now), now, Bounds(), delay)
            picture = read(protocol.message(2 * number + 1, now - 0.4, jpeg=jpeg()), now, Bounds(), delay)
            assert tick is not None and not tick.delayed and picture is not None and not picture.delayed

    async def test_it_is_said_in_answer_and_record(self) -> None:
        server = Server()
        robot = server.connect()
        assert (await robot.heard())["type"] == "websocket.accept"
        await robot.says(json.dumps({"hello": {"writer": "w", "run": "r"}}))
        states = []
        for number in range(90):
            server.now += 1 / 30
            captured = 50.0 + number / 30 - (1.0 if number >= 30 else 0.0)
            data = protocol.message(number + 1, captured, jpeg=jpeg(seed=number), age_seconds=0.02)
            body = await robot.says(data)
            states.append(body["reason"])
            if body["reason"] == "frame_delayed":
                assert "the capture clock went back by 0.97 s" in body["message"]
        assert states.index("frame_delayed") == 30 and "frame_delayed" not in states[62:]
        assert "delays are compared anew" in str(server.entry.task.warnings)
        await robot.leaves()


class TestTimestamps:
    @pytest.mark.parametrize("stamp", [None, "now", True, 0.2, 7, 1e9, 1e10, 5e11, 1e13, float("nan"), float("inf")])
    def test_what_is_no_unix_time_is_untimed(self, stamp: Any) -> None:
        dated = Stamps().read(stamp, UNIX, 1.0)
        assert dated.untimed and dated.refused is None and dated.age == 0.0

    @pytest.mark.parametrize("unit", [1.0, 1000.0])
    @pytest.mark.parametrize(("behind", "side"), [(30.0, "30.00 s behind"), (-2.1, "2.10 s ahead of")])
    def test_another_time_of_day_is_refused_with_the_difference(self, unit: float, behind: float, side: str) -> None:
        dated = Stamps().read((UNIX - behind) * unit, UNIX, 1.0)
        assert dated.refused is Reason.FRAME_OLD and side in dated.note and dated.note.endswith(ADVICE)

    def test_within_two_seconds_only_differences_count(self) -> None:
        stamps = Stamps()
        assert stamps.read(UNIX - 1.5, UNIX, 1.0).age == 0.0
        assert stamps.read(UNIX - 1.2, UNIX + 0.6, 1.6).age == pytest.approx(0.3)
        assert stamps.read(UNIX + 0.2, UNIX + 1.2, 2.2).age == 0.0
        old = stamps.read(UNIX + 0.3, UNIX + 2.0, 3.0)
        assert old.age == pytest.approx(0.7) and old.refused is Reason.PICTURE_TOO_OLD

    def test_backwards_is_that_frame_only(self) -> None:
        stamps = Stamps()
        for number, back in enumerate((0.0, 0.0, 1.0, 1.0, 1.0)):
            dated = stamps.read(UNIX + number / 10 - back, UNIX + number / 10, 1.0 + number / 10)
            assert (dated.refused is Reason.FRAME_OLD) is (number == 2) and (number != 2 or ADVICE in dated.note)

    def test_no_robot_walks_by_old_pictures_on_http(self) -> None:
        door = Door()
        door.navigation.wall = lambda: UNIX + door.now  # type: ignore[method-assign]
        door.frame(timestamp=UNIX + door.now)
        door.plan()
        door.now += 0.05
        status, body = door.frame(timestamp=UNIX + door.now)
        assert status == 200 and body["state"] == "moving" and body["untimed"] is False
        for number in range(50):
            door.now += 0.05
            _, body = door.frame(timestamp=UNIX + door.now - 30 - number)
            assert (body["linear_vel"], body["state"], body["reason"]) == (0.0, "hold", "frame_old")
            assert f"{30 + number:.2f} s behind" in body["message"] and body["message"].endswith(ADVICE)
            assert body["waypoints"] == []
        door.now += 0.05
        assert door.frame()[1]["untimed"] is True

    def test_milliseconds_are_echoed_in_milliseconds(self) -> None:
        door = Door()
        door.navigation.wall = lambda: UNIX + door.now  # type: ignore[method-assign]
        stamp = (UNIX + door.now) * 1000
        _, body = door.frame(timestamp=stamp)
        door.plan()
        task = door.entry.task
        assert task.follower is not None
        task.follower.captured = stamp
        door.now += 0.05
        _, body = door.frame(timestamp=stamp + 50)
        assert body["captured_at"] == stamp
        assert body["valid_until"] == pytest.approx(stamp + 1000 * task.follower.validity_seconds)

    async def test_the_older_websocket_does_the_same(self) -> None:
        server = Server()
        server.navigation.wall = lambda: UNIX  # type: ignore[method-assign]
        robot = server.connect(f"/vln/stream/{server.entry.task.task_id}")
        assert (await robot.heard())["type"] == "websocket.accept"
        picture = base64.b64encode(jpeg(seed=1)).decode()
        body = await robot.says(json.dumps({"frame": picture, "timestamp": UNIX - 9}))
        assert (body["state"], body["reason"]) == ("hold", "frame_old") and "9.00 s behind" in body["message"]
        assert (await robot.says(json.dumps({"frame": picture, "timestamp": 0.2})))["untimed"] is True
        await robot.leaves()
