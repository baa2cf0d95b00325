"""The VLN API's pod is replaced by a rollout while a robot walks: it stands in between and walks on to its goal."""

import time

from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.walk import MODEL, RED, STANDING, Walk, well_done


def test_the_vln_pod_rolled_on_the_way(walk: Walk, figure: Figures) -> None:
    walk.start(RED)
    walk.drives(0.5)
    target, deployment = walk.namespace, f"deployment/{MODEL}-vln"
    before = target.ready_pod("vln")["metadata"]["uid"]
    session = walk.status["session"]["id"]
    steps = int(walk.status["steps"]["done"])
    begun = time.monotonic()
    target.kubectl("rollout", "restart", deployment)
    eventually(lambda: walk.newest().get("state") != "moving", 15, "the robot stands")
    assert walk.phase() == "Running", "a restart of the VLN API ends no task"
    target.kubectl("rollout", "status", deployment, "--timeout=90s")
    assert eventually(lambda: target.ready_pod("vln"), 60, "the new pod is Ready")["metadata"]["uid"] != before
    walk.drives(0.2, 90)
    figure("VLN pod rolled until the robot drives again", time.monotonic() - begun, "s")
    assert {line.get("reason") for line in walk.said()} & set(STANDING), walk.said()
    assert walk.status["session"]["id"] == session, "it is still the same task"
    assert int(walk.status["steps"]["done"]) >= steps, "its steps go on counting"
    report = well_done(walk, "red")
    assert int(str(report["connections"])) > 1
