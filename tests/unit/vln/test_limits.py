"""Defaults and bounds stand in the VLN API and in the NavTask's schema: here they are held together."""

from typing import Any

import pytest

from qwen3vl_operator.nav_task import spec as navtask
from qwen3vl_vln.motion.limits import Camera, History, Keyframes, Limits, OutOfBoundsError

PAIRS = [(Limits, navtask.Limits), (Keyframes, navtask.Keyframes), (History, navtask.History), (Camera, navtask.Camera)]


@pytest.mark.parametrize(("ours", "schema"), PAIRS)
def test_both_have_the_same_fields_defaults_and_bounds(ours: Any, schema: Any) -> None:
    known = schema.model_json_schema(by_alias=True)["properties"]
    assert ours().as_json() == {name: field["default"] for name, field in known.items()}
    for name, field in known.items():
        if field["type"] == "boolean":
            continue
        for bound, beyond in (("minimum", -0.001), ("maximum", 0.001)):
            edge = field[bound]
            ours.from_json({name: edge}, "spec")
            with pytest.raises(OutOfBoundsError, match=name):
                ours.from_json({name: edge + (beyond if field["type"] == "number" else 1000 * beyond)}, "spec")


@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), [], {}])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(OutOfBoundsError, match=r"spec\.linearMetersPerSecond is a number"):
        Limits.from_json({"linearMetersPerSecond": value}, "spec")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(OutOfBoundsError, match="blindMeters"):
        Limits.from_json({"speed": 1}, "spec")
