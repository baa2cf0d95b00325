"""Turns that outlive their process: a rollout is waited for by what is noted on the objects."""

import pytest
from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator import names
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.rollouts import Rollouts
from qwen3vl_operator.vision_model.spec import parse
from qwen3vl_operator.vision_model.turns import Turns

BODY = samples.body("m", samples.SIMULATOR | {"navigation": {}})
TOLD = {"conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "UpToDate")]}
NOW = "2026-03-01T12:00:10Z"


def deployment(updated: int) -> Object:
    """A VLN API whose rollout began ten seconds ago, with as many pods of its newest template."""
    metadata = {"name": "m-vln", "generation": 2, "annotations": {names.ROLLOUT: "2026-03-01T12:00:00Z"}}
    status = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated}
    return {"metadata": metadata, "spec": {"replicas": 1}, "status": status}


@pytest.mark.parametrize(("updated", "is_waited_for"), [(0, True), (1, False)])
def test_a_rollout_of_the_vln_api_alone_is_waited_for_by_the_next_process(updated: int, is_waited_for: bool) -> None:
    rollouts, kube = Rollouts(), FakeKube()
    turns = Turns(Store(), rollouts, EventWriter(kube, now=lambda: NOW), lambda: NOW, lambda _: None)
    engine: Object = {"metadata": {"name": "m-engine"}, "spec": {}}
    seen = Observed(stateful_set=engine, vln=deployment(updated))

    async def scenario() -> float | None:
        return await turns.settle(Key("robots", "m"), parse(BODY), BODY, seen, TOLD)

    again = run(scenario())
    assert (again is not None) == is_waited_for
    assert rollouts.may_begin(Key("robots", "another"), ("2026", "another"), 1) != is_waited_for
