"""The cluster as these tests see it: kubectl and helm as programs, and the API where milliseconds are measured."""

import json
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.polling import eventually

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / "hack/cluster/kubectl"
HELM = ROOT / "hack/cluster/helm"
Object = dict[str, Any]
Objects = list[Object]
T = TypeVar("T")

GROUPS = {
    "visionmodels": "/apis/qwen3vl.io/v1alpha1",
    "navtasks": "/apis/qwen3vl.io/v1alpha1",
    "statefulsets": "/apis/apps/v1",
    "deployments": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}
"""API paths of what is not in the core group."""


def run(*command: str | Path, text: str = "", check: bool = True, timeout: float = 120) -> str:
    """Standard output of a program; a failing one raises AssertionError with all that it said."""
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, timeout=timeout)
    said = f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert done.returncode == 0 or not check, said
    return done.stdout if check else done.stdout + done.stderr


def kubectl(*arguments: str, text: str = "", check: bool = True) -> str:
    """What kubectl prints; with `check=False` its errors too."""
    return run(KUBECTL, *arguments, text=text, check=check)


@dataclass(frozen=True)
class Api:
    """The API through `kubectl proxy`: a read takes milliseconds, a kubectl a quarter of a second."""

    url: str

    def call(self, method: str, path: str, body: Object | None = None, content_type: str = "application/json") -> str:
        """The answer's body.

        Raises:
            urllib.error.HTTPError: an error status.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": content_type}, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(response.read().decode())


@dataclass(frozen=True)
class Namespace:
    """One namespace of the cluster."""

    api: Api
    name: str

    def _path(self, kind: str, name: str = "") -> str:
        return f"{GROUPS.get(kind, '/api/v1')}/namespaces/{self.name}/{kind}" + (f"/{name}" if name else "")

    def find(self, kind: str, name: str) -> Object | None:
        """An object, or None when it is not there."""
        try:
            return dict(json.loads(self.api.call("GET", self._path(kind, name))))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def get(self, kind: str, name: str) -> Object:
        """An object that must be there."""
        found = self.find(kind, name)
        assert found is not None, f"{kind} {name} is not in namespace {self.name}"
        return found

    def uid(self, kind: str, name: str) -> str | None:
        """The object's uid, or None when it is not there."""
        found = self.find(kind, name)
        return None if found is None else str(found["metadata"]["uid"])

    def list(self, kind: str, **labels: str) -> Objects:
        """Objects of a kind that have these labels; in names, `_` stands for what Python does not allow."""
        query = "%2C".join(f"{LABELS[name]}%3D{value}" for name, value in labels.items())
        return list(json.loads(self.api.call("GET", f"{self._path(kind)}?labelSelector={query}"))["items"])

    def patch(self, kind: str, name: str, body: Object) -> None:
        """Merge `body` into an object, as somebody does by hand."""
        self.api.call("PATCH", self._path(kind, name), body, "application/merge-patch+json")

    def delete(self, kind: str, name: str, **options: object) -> None:
        """Ask for the object's deletion; `options` as in DeleteOptions."""
        self.api.call("DELETE", self._path(kind, name), {"kind": "DeleteOptions", "apiVersion": "v1", **options})

    def kubectl(self, *arguments: str, text: str = "", check: bool = True) -> str:
        return kubectl("--namespace", self.name, *arguments, text=text, check=check)

    def apply(self, *manifests: Object) -> None:
        self.kubectl("apply", "--filename=-", text="\n---\n".join(map(json.dumps, manifests)))

    def condition(self, model: str, kind: str) -> Object:
        """A condition of a VisionModel; empty when it is not there yet."""
        found = (self.get("visionmodels", model).get("status") or {}).get("conditions") or []
        return next((condition for condition in found if condition["type"] == kind), {})

    def wait_condition(self, model: str, kind: str, seconds: float, **wanted: str) -> Object:
        """The condition, once it has the wanted fields."""

        def there() -> Object:
            found = self.condition(model, kind)
            return found if found.items() >= wanted.items() else {}

        try:
            return eventually(there, seconds, f"{model}: {kind} has {wanted}")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {self.condition(model, kind)}") from None

    def wait_ready(self, model: str, seconds: float = 60) -> None:
        """Wait until the VisionModel is Ready."""
        self.wait_condition(model, "Ready", seconds, status="True")

    def pods(self, component: str) -> Objects:
        """Pods of ours by component that are not on their way out."""
        return [pod for pod in self.list("pods", component=component) if "deletionTimestamp" not in pod["metadata"]]

    def ready_pod(self, component: str) -> Object:
        """A pod of that component that is Ready; empty when there is none."""
        return next((pod for pod in self.pods(component) if is_ready(pod)), {})

    def tracebacks(self) -> dict[str, str]:
        """By pod, the end of a log that has a traceback in it."""
        logs = self.logs().items()
        return {name: said[max(0, said.find("Traceback") - 300) :][:3000] for name, said in logs if "Traceback" in said}

    def logs(self) -> dict[str, str]:
        """What every pod said, by name, the last run before a restart included."""
        said = {}
        for pod in self.list("pods"):
            name = pod["metadata"]["name"]
            said[name] = self.kubectl("logs", name, "--all-containers", check=False)
            if any(status["restartCount"] for status in pod["status"].get("containerStatuses") or []):
                said[name] += self.kubectl("logs", name, "--all-containers", "--previous", check=False)
        return said


LABELS = {"component": "app.kubernetes.io%2Fcomponent", "model": "qwen3vl.io%2Fmodel"}
"""Labels that tests ask by, as they stand in a URL."""


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is True."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@contextmanager
def proxy() -> Iterator[Api]:
    """The API on a port of loopback, for as long as the block runs."""
    command = [str(KUBECTL), "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert ":" in line, f"kubectl proxy did not start: {line}"
            yield Api(f"http://127.0.0.1:{line.rpartition(':')[2].strip()}")
        finally:
            process.terminate()


@contextmanager
def namespace(api: Api, purpose: str) -> Iterator[Namespace]:
    """A namespace of its own with Pod Security `restricted` enforced; it goes with the block."""
    name = f"e2e-{purpose}-{uuid.uuid4().hex[:6]}"
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        yield Namespace(api, name)
    finally:
        api.call("DELETE", f"/api/v1/namespaces/{name}")
