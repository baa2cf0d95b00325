"""The demo's second half: a NavTask, and a robot in a pod that walks by it. Standard library only."""

import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localkube.report import Failure, say

ROOT = Path(__file__).resolve().parent.parent.parent
POD = "robot"
TASK = "to-the-red-door"
ROBOT = "go2-01"
OTHER_DOOR = "Walk to the blue door and stop."
CHANGE_AFTER_METRES = 1.5
RECORDINGS = "/var/lib/qwen3vl/recordings"
WALK_SECONDS = 240
LINGER_SECONDS = 120

Kubectl = Callable[..., str]

FETCH_SNAPSHOT = """
import os, sys, urllib.request
headers = {"Authorization": "Bearer " + os.environ["QWEN3VL_ROBOT_KEY"]}
with urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers), timeout=5) as answer:
    open("/out/overlay.jpg", "wb").write(answer.read())
"""
"""What somebody who watches sees: the camera's picture with the plan drawn into it, from the VLN API."""


def robot_pod(namespace: str, model: str, image: str, arguments: list[str]) -> str:
    """A pod that is the robot: it reaches the VLN API by its Service, with a key of the model's robots."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    key = {"secretKeyRef": {"name": "qwen3vl-robot-keys", "key": f"{model}.default"}}
    url = f"ws://{model}-vln.{namespace}/vln/robot/{ROBOT}"
    container = {
        "name": POD,
        "image": image,
        "args": ["qwen3vl_world.walk", "--url", url, "--out", "/out", *arguments],
        "env": [{"name": "QWEN3VL_ROBOT_KEY", "valueFrom": key}, {"name": "HOME", "value": "/out"}],
        "securityContext": security,
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "out", "emptyDir": {}}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec})


@dataclass
class RobotLog:
    """What the robot prints, read as it comes.

    Attributes:
        driven_metres: so far.
        report: its last word, once it is there.
    """

    show: Callable[[dict[str, Any]], None]
    driven_metres: float = 0.0
    report: dict[str, Any] | None = None
    other: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """One line."""
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            self.other.append(line.rstrip())
            return
        if "report" in said:
            self.report = said["report"]
            return
        self.driven_metres = said.get("driven_m", self.driven_metres)
        self.show(said)


class Follow:
    """A command whose lines are taken in the background until it is ended."""

    def __init__(self, *command: str, take: Callable[[str], None]) -> None:
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._take = take
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._take(line)

    def __enter__(self) -> "Follow":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join(5)


def walk(kubectl: Kubectl, command: tuple[str, ...], namespace: str, model: str, image: str, out: Path) -> None:
    """Apply the NavTask, let the robot walk, change its instruction on the way, and show what came of it.

    Raises:
        Failure: the robot did not reach the door.
    """
    kubectl("apply", "--filename", "examples/navtask.yaml")
    kubectl(
        "apply", "--filename", "-", stdin=robot_pod(namespace, model, image, [f"--linger-seconds={LINGER_SECONDS}"])
    )
    advice = f"see why: hack/cluster/kubectl --namespace {namespace} logs {POD}"
    with Follow(*command, "get", "navtasks", "--watch", take=lambda line: say(f"  {line.rstrip()}")):
        kubectl("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s", show=False, advice=advice)
        log = RobotLog(show=_show_progress)
        with Follow(*command, "logs", "--follow", POD, take=log.take):
            _until(lambda: log.driven_metres >= CHANGE_AFTER_METRES, log, "the robot did not set out", advice)
            session = json.loads(kubectl("get", "navtask", TASK, "--output", "json", show=False))["status"]["session"]
            snapshot = f"http://{model}-vln.{namespace}/vln/task/{session['id']}/snapshot"
            kubectl("exec", POD, "--", "python", "-c", FETCH_SNAPSHOT, snapshot, show=False, advice=advice)
            change = json.dumps({"spec": {"instruction": OTHER_DOOR}})
            say("half-way the instruction changes to another door")
            kubectl("patch", "navtask", TASK, "--type", "merge", "--patch", change)
            _until(lambda: log.report is not None, log, "the robot did not arrive", advice)
    report = log.report or {}
    collect(command, (POD, "/out"), out)
    subprocess.run((*command, "exec", POD, "--", "touch", "/out/collected"), check=True)
    collect(command, (f"deployment/{model}-vln", RECORDINGS), out / "recordings")
    kubectl("get", "navtasks")
    _tell(json.loads(kubectl("get", "navtask", TASK, "--output", "json", show=False)), report, out)
    if report.get("ended") != "goal" or report.get("door") != "blue" or report.get("collisions"):
        raise Failure(f"the walk went wrong: {json.dumps(report)}", advice)


def replay(kubectl: Kubectl, command: tuple[str, ...], namespace: str, model: str, image: str, frames: Path) -> None:
    """Push recorded frames and print the plans.

    Raises:
        Failure: there are none, or a robot would have moved without a plan.
    """
    pictures = sorted(path for path in frames.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not pictures:
        raise Failure(f"--frames {frames}: no .jpg in it", "name a folder of camera frames")
    text = frames / "instruction.txt"
    instruction = text.read_text().strip() if text.is_file() else "Walk on along the free floor."
    task = json.loads(
        kubectl("create", "--filename", "examples/navtask.yaml", "--dry-run=client", "--output=json", show=False)
    )
    task["metadata"], task["spec"]["instruction"] = {"name": "recorded"}, instruction
    say(f"{len(pictures)} frames of {frames}, instruction: {instruction}")
    kubectl("apply", "--filename", "-", stdin=json.dumps(task))
    kubectl(
        "apply",
        "--filename",
        "-",
        stdin=robot_pod(namespace, model, image, ["--frames", "/out/frames", "--wait-for-frames"]),
    )
    kubectl("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s", show=False)
    _send(command, pictures)
    log = RobotLog(show=lambda said: say(f"  {json.dumps(said)}"))
    advice = f"see why: hack/cluster/kubectl --namespace {namespace} logs {POD}"
    with Follow(*command, "logs", "--follow", POD, take=log.take):
        _until(lambda: log.report is not None, log, "the frames were not all sent", advice)
    say(json.dumps(log.report))
    if (log.report or {}).get("moved_without_plan"):
        raise Failure("an answer had a velocity without a plan", advice)


def collect(command: tuple[str, ...], source: tuple[str, str], out: Path) -> None:
    """Fetch a folder of a pod: the robot's pictures, the recordings of the VLN API.

    Raises:
        Failure: it cannot be read.
    """
    pod, folder = source
    packed = subprocess.run((*command, "exec", pod, "--", "tar", "cf", "-", "-C", folder, "."), capture_output=True)
    if packed.returncode:
        raise Failure(f"{folder} of {pod} cannot be fetched: {packed.stderr.decode().strip()}")
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(out, filter="data")


def _send(command: tuple[str, ...], pictures: list[Path]) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number, path in enumerate(pictures):
            archive.add(path, f"frames/{number:05}.jpg", filter=_anonymous)
        marker = tarfile.TarInfo("frames/complete")
        archive.addfile(marker, io.BytesIO())
    subprocess.run(
        (*command, "exec", "--stdin", POD, "--", "tar", "xf", "-", "-C", "/out"), input=data.getvalue(), check=True
    )


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 65532
    member.mode = 0o644
    return member


def _until(done: Callable[[], bool], log: RobotLog, problem: str, advice: str) -> None:
    deadline = time.monotonic() + WALK_SECONDS
    while not done():
        if time.monotonic() > deadline or log.report is not None:
            raise Failure(f"{problem}: {json.dumps(log.report)} {' '.join(log.other[-5:])}", advice)
        time.sleep(0.1)


def _show_progress(said: dict[str, Any]) -> None:
    if int(said["seconds"]) % 3 == 0:
        where = f"at ({said['x']}, {said['y']}), {said['driven_m']} m driven"
        door = f"{said['metres_to_it']} m from the {said['nearest_door']} door"
        say(f"  robot: {where}, {door}, {said['state']} ({said['reason']})")


def _tell(task: dict[str, Any], report: dict[str, Any], out: Path) -> None:
    status = task.get("status", {})
    say(f"verdict: {status.get('verdict')} at the {report.get('door')} door, {report.get('collisions')} collisions")
    say(f"walked {report.get('path_length_m')} m in {report.get('seconds')} s")
    latency = f"p50 {report.get('latency_p50_ms')} ms, p99 {report.get('latency_p99_ms')} ms"
    say(f"answer latency in the cluster: {latency}, of {report.get('answers')} answers")
    say(f"pictures: {out / 'map.png'} (the way) and {out / 'frames.png'} (what the camera saw)")
    say(f"         {out / 'overlay.jpg'} (the plan at half-way, as a viewer sees it)")
    for path in sorted((out / "recordings").rglob("*.mcap")):
        say(f"recording: {path}, {path.stat().st_size / 2**20:.1f} MiB; open it in Foxglove")
