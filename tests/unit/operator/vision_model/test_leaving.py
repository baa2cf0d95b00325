"""A model that cannot be looked at any more holds up nobody's rollout."""

import pytest
from tests.unit.operator import samples
from tests.unit.operator.vision_model.world import World

from qwen3vl_operator.kube.key import Key

OLD, YOUNG = Key("forbidden", "old"), Key("robots", "young")
AGES = {OLD: ("2026-01-01T00:00:00Z", "1"), YOUNG: ("2026-02-01T00:00:00Z", "2")}


@pytest.mark.parametrize("state", ["waits for its turn", "is being rolled out", "was not looked at yet"])
def test_the_next_model_has_its_turn_when_the_older_ones_namespace_cannot_be_read(state: str) -> None:
    world = World(samples.body("young"))
    rollouts = world.rollouts
    if state == "was not looked at yet":
        rollouts.expect(OLD, 0.0)
    else:
        assert rollouts.may_begin(OLD, AGES[OLD], 0.0)
    if state == "is being rolled out":
        rollouts.began(OLD, until=1800.0)
    assert not rollouts.may_begin(YOUNG, AGES[YOUNG], 1.0)
    world.reconciler.leave(OLD)
    assert rollouts.may_begin(YOUNG, AGES[YOUNG], 2.0)
    if state != "waits for its turn":
        assert world.notified == [YOUNG], "it is told; else it looks by itself within 20 s"
