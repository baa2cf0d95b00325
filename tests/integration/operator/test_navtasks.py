"""NavTasks from their making to their verdict: the operator as a process, a real kube-apiserver, a VLN API stand-in."""

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator.api import MERGE, Namespace, Refused, eventually
from tests.integration.operator.conftest import (
    NAVIGATION,
    Operator,
    model,
    nav_task,
    operating,
    operator_kubeconfig,
    settle,
)
from tests.support.figures import Figures
from tests.support.stand_in_vln import InThread, Object, StandInVln, in_thread

from localkube.testing import ApiServer
from qwen3vl_operator.secrets.model_keys import secret_name

CHILDREN = {"deployments": "m-vln", "services": "m-vln", "secrets": "qwen3vl-robot-keys"}
RUNNING = {"phase": "Running", "state": "moving", "reason": "following_plan", "action": "forward"}


@dataclass
class Scene:
    """A namespace with a model that robots walk by, and its VLN API."""

    namespace: Namespace
    vln: InThread
    start: Callable[[], AbstractContextManager[Operator]]

    def begin(self) -> None:
        """The model is there, and the VLN API knows the operator's key."""
        self.namespace.create("visionmodels", model(spec=NAVIGATION))
        self.learn_key()

    def learn_key(self) -> None:
        def made() -> str | None:
            secret = self.namespace.find("secrets", secret_name(self.namespace.name, "m"))
            return secret["data"].get("m.operator-to-vln") if secret is not None else None

        key = base64.b64decode(eventually(made)).decode()
        self.vln.do(lambda vln: setattr(vln, "key", key))

    def walk(self, name: str = "walk", **spec: Any) -> str:
        """A NavTask that the VLN API has; its id there."""
        uid = self.namespace.create("navtasks", nav_task(name, **spec))["metadata"]["uid"]
        task_id = f"{name}-{uid[:8]}"
        eventually(lambda: task_id in self.vln.vln.records)
        return task_id

    def change(self, task_id: str, **fields: Any) -> None:
        self.vln.do(lambda vln: vln.change(task_id, **fields))

    def status(self, name: str = "walk") -> Object:
        found: Object = self.namespace.get("navtasks", name).get("status") or {}
        return found

    def until(self, name: str = "walk", seconds: float = 10, **fields: Any) -> Object:
        """The status once it has these fields."""

        def look() -> Object | None:
            status = self.status(name)
            return status if fields.items() <= status.items() else None

        return eventually(look, seconds)

    def condition(self, kind: str, name: str = "walk") -> tuple[str, str]:
        found = next((one for one in self.status(name).get("conditions", []) if one["type"] == kind), None)
        return (found["status"], found["reason"]) if found else ("", "")


@pytest.fixture
def scene(server: ApiServer, namespace: Namespace, tmp_path: Path) -> Iterator[Scene]:
    kubeconfig = operator_kubeconfig(server, namespace, tmp_path / "kubeconfig")
    with in_thread(StandInVln("not known yet")) as vln:
        log = tmp_path / "operator.log"
        yield Scene(namespace, vln, lambda: operating(kubeconfig, namespace.name, log, vln.url))


@pytest.fixture
def running(scene: Scene) -> Iterator[Scene]:
    with scene.start():
        scene.begin()
        yield scene


def printed(namespace: Namespace, *, wide: bool) -> dict[str, Any]:
    """The first NavTask as `kubectl get` prints it: column → cell."""
    api, path = namespace.api, f"/apis/qwen3vl.io/v1alpha1/namespaces/{namespace.name}/navtasks"
    connection = http.client.HTTPSConnection(api._host, context=api._context, timeout=20)
    connection.request("GET", path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    table = json.loads(connection.getresponse().read())
    connection.close()
    columns = [one["name"] for one in table["columnDefinitions"] if wide or one["priority"] == 0]
    return dict(zip(columns, table["rows"][0]["cells"], strict=False))


def test_a_walk_from_pending_to_its_verdict(running: Scene) -> None:
    task_id = running.walk()
    status = running.until(phase="Pending", reason="WaitingForFrame")
    assert running.condition("Accepted") == ("True", "Valid")
    assert running.condition("Running") == ("False", "WaitingForRobot")
    eventually(lambda: running.condition("ModelReady") == ("False", "Creating"))  # nothing makes pods here
    assert status["session"]["id"] == task_id
    steps, latency = {"done": 3, "limit": 500}, {"p50_ms": 250, "p95_ms": 410, "max_ms": 500}
    running.change(task_id, **RUNNING, steps=steps, latency=latency, link={"rtt_p50_ms": 12, "rtt_max_ms": 30})
    running.until(phase="Running", state="moving")
    row = printed(running.namespace, wide=False)
    assert list(row) == ["Name", "Phase", "State", "Reason", "Robot", "Step", "Model-MS", "Age"]
    assert list(row.values())[1:-1] == ["Running", "moving", "FollowingPlan", "go2-01", "3/500", 410]
    wide = printed(running.namespace, wide=True)
    assert list(wide)[len(row) :] == ["Model", "Instruction", "Message", "Action", "Link-MS"]
    assert list(wide.values())[len(row) :] == ["m", "Walk to the red door.", "", "forward", 12]
    running.vln.do(lambda vln: vln.finish(task_id, "GoalReached", "seen twice"))
    running.until(phase="Succeeded", verdict="GoalReached")
    ended = printed(running.namespace, wide=False)
    assert [ended[name] for name in ("Phase", "State", "Reason")] == ["Succeeded", "goal", "GoalReached"]
    assert running.condition("Complete") == ("True", "GoalReached")
    assert running.condition("Failed") == ("", "")


def test_an_edit_reaches_the_vln_api(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    began = time.monotonic()
    running.namespace.merge("navtasks", "walk", {"spec": {"instruction": "Walk to the blue door."}})
    eventually(lambda: running.vln.vln.records[task_id]["instruction"] == "Walk to the blue door.")
    figure("instruction edited → VLN API told", time.monotonic() - began, "s", goal=0.5)
    running.namespace.merge("navtasks", "walk", {"spec": {"state": "Paused"}})
    running.until(phase="Paused")
    running.namespace.merge("navtasks", "walk", {"spec": {"state": "Running"}})
    running.until(phase="Running")
    assert [body["owner"]["generation"] for body in running.vln.vln.bodies[task_id]] == [1, 2, 3, 4]


def test_stopped_ends_the_task_for_good(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING)
    running.until(phase="Running")
    began = time.monotonic()
    running.namespace.merge("navtasks", "walk", {"spec": {"state": "Stopped"}})
    eventually(lambda: running.vln.vln.records[task_id]["verdict"] == "Cancelled")
    figure("state: Stopped → robot told to stop", time.monotonic() - began, "s", goal=0.5)
    running.until(phase="Stopped", verdict="Cancelled")
    assert running.condition("Failed") == ("True", "Cancelled")
    assert running.condition("Accepted") == ("True", "Valid")


def test_a_stop_by_rest_ends_the_task_and_an_edit_afterwards_is_answered(running: Scene) -> None:
    task_id = running.walk()
    running.vln.do(lambda vln: vln.finish(task_id, "Cancelled"))
    running.until(phase="Stopped", verdict="Cancelled")
    running.namespace.merge("navtasks", "walk", {"spec": {"instruction": "Go on."}})
    eventually(lambda: running.condition("Accepted") == ("False", "Finished"))
    assert running.status()["phase"] == "Stopped"
    assert len(running.vln.vln.bodies[task_id]) == 1


def test_a_deleted_navtask_stops_its_robot(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING)
    running.until(phase="Running")
    began = time.monotonic()
    running.namespace.delete("navtasks", "walk")
    eventually(lambda: running.vln.vln.records[task_id]["verdict"] == "Cancelled")
    figure("NavTask deleted → robot told to stop", time.monotonic() - began, "s", goal=1)


def test_one_that_was_deleted_while_no_operator_ran_is_stopped_by_the_next(scene: Scene) -> None:
    with scene.start():
        scene.begin()
        task_id = scene.walk()
        stays = scene.walk("stays", robot="go2-02")
    scene.namespace.delete("navtasks", "walk")
    with scene.start():
        eventually(lambda: scene.vln.vln.records[task_id]["verdict"] == "Cancelled")
        assert scene.vln.vln.records[stays]["verdict"] is None


def test_a_task_made_again_under_its_name_is_another_one(running: Scene) -> None:
    old = running.walk()
    running.change(old, **RUNNING)
    running.until(phase="Running")
    running.namespace.delete("navtasks", "walk")
    new = running.walk(instruction="Again.")
    assert new != old
    assert running.vln.vln.records[old]["verdict"] == "Cancelled"
    running.until(phase="Pending", reason="WaitingForFrame")
    assert running.condition("Accepted") == ("True", "Valid")


def test_a_restart_of_the_operator_writes_nothing(scene: Scene) -> None:
    with scene.start():
        scene.begin()
        walking, ended = scene.walk(), scene.walk("ended", robot="go2-02")
        scene.change(walking, **RUNNING, elapsed_seconds=12.0)
        scene.vln.do(lambda vln: vln.finish(ended, "GoalReached"))
        scene.until(phase="Running")
        scene.until("ended", phase="Succeeded")
        settle(scene.namespace)
        before = {one["metadata"]["name"]: one["metadata"] for one in scene.namespace.list("navtasks")}
    with scene.start():
        calls = len(scene.vln.vln.calls)
        eventually(lambda: len(scene.vln.vln.calls) >= calls + 6)
        settle(scene.namespace)
        after = {one["metadata"]["name"]: one["metadata"] for one in scene.namespace.list("navtasks")}
    assert after == before
    assert len(scene.vln.vln.bodies[walking]) == 1
    assert "finalizers" not in after["walk"]
    assert "annotations" not in after["walk"]


def test_a_new_vln_api_is_told_how_far_the_walk_had_come(running: Scene) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING, elapsed_seconds=42.0, steps={"done": 7, "limit": 500})
    running.until(phase="Running")
    running.vln.do(StandInVln.restart)
    eventually(lambda: len(running.vln.vln.bodies[task_id]) == 2)
    assert running.vln.vln.bodies[task_id][1]["resume"] == {"elapsedSeconds": 42.0, "steps": 7}
    status = running.until(reason="Restarted")
    assert (status["phase"], status["state"]) == ("Running", "hold")


def test_a_vln_api_that_hangs_is_told_and_holds_up_nobody(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING, steps={"done": 7, "limit": 500})
    running.until(phase="Running")
    running.vln.do(lambda vln: setattr(vln, "hang", True))
    began = time.monotonic()
    eventually(lambda: running.condition("Running") == ("Unknown", "NavigationUnreachable"))
    figure("VLN API hangs → NavigationUnreachable", time.monotonic() - began, "s", goal=3)
    assert running.status()["steps"]["done"] == 7
    running.namespace.delete("services", "m-engine")
    began = time.monotonic()
    eventually(lambda: running.namespace.find("services", "m-engine"))
    figure("repair while a VLN API hangs", time.monotonic() - began, "s", goal=2)
    running.vln.do(lambda vln: setattr(vln, "hang", False))
    eventually(lambda: running.condition("Running") == ("True", "Running"))


def test_trouble_with_the_model_is_told_soon(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING)
    running.until(phase="Running")
    running.change(task_id, state="error", reason="model_failed", message="3 failures in a row: status 500")
    began = time.monotonic()
    eventually(lambda: running.condition("Running") == ("False", "ModelFailed"))
    figure("model fails → said by the NavTask", time.monotonic() - began, "s", goal=1)
    assert "status 500" in running.status()["message"]
    running.change(task_id, **RUNNING, message="")
    eventually(lambda: running.condition("Running") == ("True", "Running"))


def test_a_robot_belongs_to_one_task_until_its_end(running: Scene) -> None:
    first = running.walk()
    running.namespace.create("navtasks", nav_task("second"))
    running.until("second", phase="Pending", reason="RobotBusy")
    assert "NavTask walk" in running.status("second")["message"]
    running.vln.do(lambda vln: vln.finish(first, "GoalReached"))
    running.until("second", seconds=5, phase="Pending", reason="WaitingForFrame")


def test_a_task_waits_for_its_model_and_its_navigation(scene: Scene) -> None:
    with scene.start():
        scene.namespace.create("navtasks", nav_task())
        scene.until(phase="Pending", reason="ModelNotFound")
        scene.namespace.create("visionmodels", model())
        scene.until(reason="NavigationOff")
        scene.namespace.merge("visionmodels", "m", {"spec": {"navigation": {}}})
        scene.learn_key()
        scene.until(reason="WaitingForFrame")
        scene.namespace.merge("visionmodels", "m", {"spec": {"navigation": None}})
        scene.until(reason="NavigationOff")


def test_figures_of_a_walk_are_written_once_a_second(running: Scene, figure: Figures) -> None:
    task_id = running.walk()
    running.change(task_id, **RUNNING)
    running.until(phase="Running")
    versions, began = set(), time.monotonic()
    for step in range(150):
        running.change(task_id, steps={"done": step, "limit": 500})
        versions.add(running.namespace.get("navtasks", "walk")["metadata"]["resourceVersion"])
        time.sleep(0.02)
    seconds = time.monotonic() - began
    assert 2 <= len(versions) <= seconds + 2
    figure("status writes while 50 changes a second happen", len(versions) / seconds, "/s", goal=1.5)
    running.until(steps={"done": 149, "limit": 500, "summary": "149/500"})


def test_a_finished_task_goes_when_its_time_is_over(running: Scene) -> None:
    task_id = running.walk(ttlSecondsAfterFinished=1)
    running.vln.do(lambda vln: vln.finish(task_id, "GoalReached"))
    eventually(lambda: running.namespace.find("navtasks", "walk") is None)


@pytest.mark.parametrize("plural", CHILDREN)
def test_a_deleted_part_of_navigation_comes_back(running: Scene, plural: str) -> None:
    old = eventually(lambda: running.namespace.find(plural, CHILDREN[plural]))
    running.namespace.delete(plural, CHILDREN[plural])

    def back() -> bool:
        found = running.namespace.find(plural, CHILDREN[plural])
        return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]

    # Secrets are not watched: each is read every 30 s.
    eventually(back, 45 if plural == "secrets" else 10)


def test_a_vln_api_scaled_to_nothing_by_hand_is_put_back_and_what_is_off_is_removed(running: Scene) -> None:
    for plural, name in CHILDREN.items():
        eventually(lambda plural=plural, name=name: running.namespace.find(plural, name))  # type: ignore[misc]
    assert running.namespace.find("horizontalpodautoscalers", "m-vln") is None
    running.namespace.merge("deployments", "m-vln", {"spec": {"replicas": 0}}, "scale")
    eventually(lambda: running.namespace.get("deployments", "m-vln")["spec"]["replicas"] == 1)
    running.namespace.merge("visionmodels", "m", {"spec": {"navigation": None}})
    for plural in ("deployments", "services"):
        eventually(lambda plural=plural: running.namespace.find(plural, "m-vln") is None)  # type: ignore[misc]


def test_pod_security_restricted_takes_the_vln_apis_pod(running: Scene) -> None:
    template = eventually(lambda: running.namespace.find("deployments", "m-vln"))["spec"]["template"]
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    path = f"api/v1/namespaces/{running.namespace.name}"
    running.namespace.api.call("PATCH", path, {"metadata": {"labels": label}}, MERGE)
    pod = {"metadata": {"name": "vln", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    running.namespace.create("pods", pod)
    loose = {"metadata": {"name": "loose"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(Refused, match="violates PodSecurity"):
        running.namespace.create("pods", loose)
