"""What no task exceeds, whoever asks: from the next answer, for the plan under way too."""

import json
from pathlib import Path
from typing import Any

import pytest

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.edge.ceilings_file import CeilingsFile
from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.task.ceilings import Ceilings
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.settings import Settings

from .samples import FORWARD, Walk, navigation_without_worker

FAST = Limits(linear_meters_per_second=3.0, blind_meters=10.0, linear_acceleration=10.0, max_plan_age_seconds=60.0)


def ceilings(**values: float) -> Ceilings:
    return Ceilings.read(json.dumps(values).encode())


def test_what_is_above_is_clamped_and_told() -> None:
    navigation = navigation_without_worker()
    navigation.hold_ceilings(ceilings(linearMetersPerSecond=0.5, blindMeters=1.0))
    task = navigation.create(Settings("go2", "Walk.", limits=FAST)).task
    held = task.settings.limits
    assert (held.linear_meters_per_second, held.blind_meters, held.max_plan_age_seconds) == (0.5, 1.0, 60.0)
    told = record(task, navigation.now())
    assert told["clamped_limits"] == {
        "linearMetersPerSecond": {"wanted": 3.0, "held": 0.5},
        "blindMeters": {"wanted": 10.0, "held": 1.0},
    }
    assert told["limits"]["linearMetersPerSecond"] == 0.5
    slow = navigation.create(Settings("b", "Walk.", limits=Limits(linear_meters_per_second=0.2))).task
    assert slow.settings.limits.linear_meters_per_second == 0.2
    assert record(slow, navigation.now())["clamped_limits"] == {}


def test_a_navtask_is_bound_too_and_asserting_it_again_changes_nothing() -> None:
    navigation = navigation_without_worker()
    navigation.hold_ceilings(ceilings(linearMetersPerSecond=0.5))
    wish = Assertion(Owner("uid", "robots", "walk", 1), Settings("go2", "Walk.", limits=FAST), "Running")
    task = navigation.assert_task("walk", wish).task
    before = task.settings
    navigation.assert_task("walk", wish)
    assert task.settings == before and before.limits.linear_meters_per_second == 0.5


def test_raised_and_lowered_they_hold_for_what_was_asked() -> None:
    navigation = navigation_without_worker()
    task = navigation.create(Settings("go2", "Walk.", limits=FAST)).task
    for ceiling, held in ((0.5, 0.5), (1.0, 1.0), (0.3, 0.3)):
        navigation.hold_ceilings(ceilings(linearMetersPerSecond=ceiling))
        assert task.settings.limits.linear_meters_per_second == held
    navigation.hold_ceilings(ceilings())
    assert task.settings.limits == FAST and task.settings.wanted is None


def test_they_hold_for_the_plan_under_way_from_the_next_answer() -> None:
    walk = Walk(limits=FAST)
    walk.frame()
    walk.result("plan", *[FORWARD] * 5)
    assert walk.run(0.5)[-1]["linear_vel"] > 0.6
    plan = walk.task.follower
    walk.task.edit(ceilings(linearMetersPerSecond=0.3, maxPlanAgeSeconds=1.0).bound(walk.task.settings))
    walk.now += 1 / 30
    assert 0.0 < walk.frame()["linear_vel"] <= 0.3 and walk.task.follower is plan
    walk.run(0.6)
    body = walk.frame()
    assert (body["linear_vel"], body["reason"]) == (0.0, "plan_expired")


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"blindMeters": "far"}', b'{"linearMetersPerSecond": 0}'])
def test_a_file_that_says_nothing_clear_keeps_what_it_said_before(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ceilings.json"
    path.write_text('{"blindMeters": 2, "ofANewerOperator": 1}')
    read = CeilingsFile(path)
    assert read.ceilings.values == {"blind_meters": 2.0} and not read.changed()
    path.write_bytes(content)
    assert not read.changed() and read.ceilings.values == {"blind_meters": 2.0}
    path.unlink()
    assert not read.changed()
    path.write_text('{"blindMeters": 1}')
    assert read.changed() and read.ceilings.values == {"blind_meters": 1.0}


@pytest.mark.parametrize("content", [None, b"[]"])
def test_nobody_drives_without_the_ceilings_that_were_asked_for(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "ceilings.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((OSError, ValueError)):
        CeilingsFile(path)
