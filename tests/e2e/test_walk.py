"""A robot walks through the building by its camera, as a pod, while things change and fail around it."""

import json
import time

import pytest
from tests.support.cluster import Namespace
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Release, Simulator
from tests.support.walk import BLUE, MODEL, RED, Walk, nav_task, well_done

COUNT_TOPICS = """
import collections, json, pathlib, sys
from mcap.reader import make_reader
counts = collections.Counter()
for path in pathlib.Path("/var/lib/qwen3vl/recordings", sys.argv[1]).glob("*.mcap"):
    with path.open("rb") as file:
        counts.update(channel.topic for _, channel, _ in make_reader(file).iter_messages())
print(json.dumps(counts))
"""
"""Messages by topic in a task's recording; run in the VLN API's pod."""


def test_to_the_door(walk: Walk, figure: Figures) -> None:
    begun = time.monotonic()
    walk.start(RED, recording={"enabled": True})
    walk.reaches(lambda: walk.phase() == "Running", 60, "the NavTask is Running")
    session = walk.status["session"]
    assert session["url"] == f"ws://{MODEL}-vln.{walk.namespace.name}/vln/ws/{session['id']}"
    report = well_done(walk, "red")
    assert walk.phases == ["Pending", "Running", "Succeeded"]
    figure("walk to a door, from kubectl apply to Succeeded", time.monotonic() - begun, "s")
    figure("walk: answer latency in the cluster, p50", float(str(report["latency_p50_ms"])), "ms")
    figure("walk: answer latency in the cluster, p99", float(str(report["latency_p99_ms"])), "ms")
    shown = walk.namespace.kubectl("get", "navtasks", walk.name)
    assert shown.split()[:7] == ["NAME", "PHASE", "VERDICT", "ROBOT", "STEP", "ACTION", "P95"]
    assert "Succeeded" in shown and "GoalReached" in shown
    exec_in_vln = ("exec", f"deployment/{MODEL}-vln", "--", "python", "-c", COUNT_TOPICS, session["id"])
    topics = json.loads(walk.namespace.kubectl(*exec_in_vln))
    assert min(topics.get(topic, 0) for topic in ("/camera", "/model", "/plans", "/answers", "/events")) > 0, topics


def test_by_words(walk: Walk) -> None:
    """The model answers with sentences such as `The next action is turn left 30 degrees`."""
    walk.start(RED, prompt={"profile": "actions"})
    well_done(walk, "red")


def test_the_instruction_edited_on_the_way(walk: Walk) -> None:
    walk.start(RED)
    walk.drives(1.0)
    walk.patch(instruction=BLUE)
    well_done(walk, "blue")


def test_paused_running_stopped(walk: Walk) -> None:
    walk.start(RED)
    walk.drives()
    walk.patch(state="Paused")
    walk.reaches(lambda: walk.phase() == "Paused", 5, "the NavTask is Paused")
    walk.stands()
    assert walk.newest()["reason"] == "paused"
    walk.patch(state="Running")
    walk.drives()
    walk.patch(state="Stopped")
    walk.reaches(lambda: walk.phase() == "Stopped", 5, "the NavTask is Stopped")
    assert walk.condition("Failed")["reason"] == "Cancelled"
    assert walk.report(10)["ended"] == "stopped"
    refused = walk.namespace.kubectl(
        "patch", "navtask", walk.name, "--type=merge", '--patch={"spec":{"state":"Running"}}', check=False
    )
    assert walk.task["spec"]["state"] == "Stopped", refused


def test_a_deleted_navtask_stops_the_robot(walk: Walk, figure: Figures) -> None:
    walk.start(RED)
    walk.drives()
    begun = time.monotonic()
    walk.namespace.kubectl("delete", "navtask", walk.name, "--wait=true")
    eventually(lambda: walk.newest().get("state") == "stopped", 10, "the robot is stopped")
    figure("NavTask deleted until the robot says stopped (it speaks once a second)", time.monotonic() - begun, "s")
    walk.stands()


def test_the_vln_pod_killed_on_the_way(walk: Walk, figure: Figures) -> None:
    walk.start(RED)
    walk.drives(0.5)
    pod = walk.namespace.ready_pod("vln")["metadata"]["name"]
    walk.namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    begun = time.monotonic()
    eventually(lambda: walk.newest().get("state") != "moving", 5, "the robot stands")
    walk.drives(0.2, 90)
    figure("VLN pod killed until the robot drives again", time.monotonic() - begun, "s")
    report = well_done(walk, "red")
    assert int(str(report["connections"])) > 1


def test_the_operator_away(walk: Walk) -> None:
    walk.start(RED)
    walk.drives()
    walk.namespace.kubectl("scale", "deployment/qwen3vl-operator", "--replicas=0")
    try:
        eventually(lambda: not walk.namespace.list("pods", component="operator"), 60, "the operator's pod is gone")
        assert walk.report()["ended"] == "goal"
    finally:
        walk.namespace.kubectl("scale", "deployment/qwen3vl-operator", "--replicas=1")
    eventually(lambda: walk.namespace.ready_pod("operator"), 60, "the operator is back")
    well_done(walk, "red")


@pytest.mark.parametrize("fault", ["500", "hang", "refusal"])
def test_a_model_in_trouble_is_told_and_gone_beyond(
    walk: Walk, simulator: Simulator, figure: Figures, fault: str
) -> None:
    walk.start(RED)
    walk.drives()
    begun = time.monotonic()
    if fault == "refusal":
        simulator.fault("reply", text="I cannot help with that.")
    else:
        simulator.fault(fault)
    reasons = {"500": ["ModelFailed"], "hang": ["ModelSlow", "ModelFailed"], "refusal": ["InvalidResult"]}[fault]
    walk.reaches(lambda: walk.status.get("reason") in reasons, 15, f"the NavTask says {reasons}")
    figure(f"model {fault}: the NavTask says why after", time.monotonic() - begun, "s", 3)
    walk.stands()
    simulator.fault("none")
    well_done(walk, "red")


def test_two_tasks_of_one_robot(walk: Walk, release: Release) -> None:
    walk.start(RED)
    second = Walk(release.namespace, f"{walk.name}-again"[:40], MODEL, walk.robot)
    try:
        release.namespace.apply(nav_task(second.name, MODEL, walk.robot, BLUE))
        second.reaches(lambda: second.condition("Accepted").get("reason") == "RobotBusy", 15, "RobotBusy is said")
        assert second.phase() == "Pending"
        walk.patch(state="Stopped")
        second.reaches(lambda: second.condition("Accepted").get("status") == "True", 30, "the robot is free")
    finally:
        second.end()


def test_bad_navtasks_are_refused_with_a_reason(release: Release) -> None:
    target: Namespace = release.namespace
    for body, word in (
        (nav_task("bad", MODEL, "r", ""), "instruction"),
        (nav_task("bad", MODEL, "r", RED, limits={"linearMetersPerSecond": 99}), "linearMetersPerSecond"),
        (nav_task("bad", MODEL, "r", RED, prompt={"profile": "pixelGoal"}), "profile"),
        (nav_task("bad", MODEL, "r", RED, state="Flying"), "state"),
    ):
        target.kubectl("apply", "--filename=-", text=json.dumps(body), check=False)
        assert target.find("navtasks", "bad") is None, word
