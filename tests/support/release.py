"""An installed chart, the client pod that asks it, and the simulator's switches for faults."""

import base64
import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from tests.support.cluster import HELM, KUBECTL, ROOT, Namespace, Object, run
from tests.support.polling import eventually

CHART = ROOT / "charts/qwen3vl"
RELEASE = "qwen3vl"
IN_POD = Path(__file__).with_name("in_pod.py")
HOSTILE_IN_POD, STREAMS_IN_POD, RAW_HTTP = (
    IN_POD.with_name(f"{name}.py") for name in ("hostile_in_pod", "streams_in_pod", "raw_http")
)
SHARED_SECRETS = ("qwen3vl-internal", "qwen3vl-keys", "qwen3vl-robot-keys")
FIRST_BYTE_SECONDS = 5
"""Patience of the gateway in these tests: a hung engine is noticed within a test's time."""


def image(name: str) -> Object:
    """A locally built image as the chart's values name it."""
    return {"repository": f"localhost/qwen3vl/{name}", "tag": "dev", "pullPolicy": "Never"}


def values(**overrides: Any) -> Object:
    """Chart values of these tests; `overrides` replace whole sections."""
    timeouts = {"firstByteSeconds": FIRST_BYTE_SECONDS, "idleSeconds": FIRST_BYTE_SECONDS, "drainSeconds": 3}
    return {
        "operator": {"image": image("operator")},
        "server": {"image": image("server")},
        "vln": {"image": image("vln")},
        "gateway": {"timeouts": timeouts, "terminationGracePeriodSeconds": 60},
        **overrides,
    }


def model_keys(namespace: Namespace, model: str) -> str:
    """Name of the Secret that has the model's derived keys, one of sixteen (docs/secrets.md)."""
    return f"qwen3vl-model-keys-{hashlib.sha256(f'{namespace.name}/{model}'.encode()).hexdigest()[0]}"


def secrets(namespace: Namespace, *models: str) -> dict[str, Object]:
    """What the operator's Secrets of a release and its models hold, by name; those that are not there are left out."""
    names = {*SHARED_SECRETS, *(model_keys(namespace, name) for name in models)}
    found = {name: namespace.find("secrets", name) for name in sorted(names)}
    return {name: secret["data"] for name, secret in found.items() if secret is not None}


def restricted_pod(name: str, container: Object, volumes: list[Object]) -> Object:
    """A pod that Pod Security `restricted` lets through."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"securityContext": security, **container}],
        "volumes": volumes,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def simulator_model(name: str, **spec: Any) -> Object:
    """A VisionModel with the simulator engine; `spec` adds to it."""
    settings = {"firstTokenMillis": 20, "tokensPerSecond": 200}
    return {
        "apiVersion": "qwen3vl.io/v1alpha1",
        "kind": "VisionModel",
        "metadata": {"name": name},
        "spec": {"engine": {"name": "simulator", "contextLength": 32768, "simulator": settings}, **spec},
    }


@dataclass(frozen=True)
class Release:
    """The chart, installed in one namespace."""

    namespace: Namespace

    def upgrade(self, chosen: Object) -> None:
        """Install or upgrade, and wait until operator and gateway are Ready.

        The CRD belongs to the whole cluster: it may have come with another release before.
        """
        self._helm("upgrade", "--install", RELEASE, CHART, "--take-ownership", "--values=-", "--wait", text=chosen)

    def test(self) -> str:
        """What `helm test` says."""
        return self._helm("test", RELEASE)

    def uninstall(self) -> str:
        return self._helm("uninstall", RELEASE, "--wait")

    def _helm(self, *arguments: str | Path, text: Object | None = None) -> str:
        target = ("--namespace", self.namespace.name, "--timeout", "90s")
        return run(HELM, *arguments, *target, text=json.dumps(text) if text else "")

    def metrics(self) -> dict[str, float]:
        """The gateway's metrics: name with labels → value. One gateway pod runs in these tests."""
        pod = eventually(lambda: self.namespace.ready_pod("gateway"), 60, "a gateway pod is Ready")["metadata"]["name"]
        path = f"/api/v1/namespaces/{self.namespace.name}/pods/{pod}:8001/proxy/metrics"
        lines = self.namespace.api.call("GET", path).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def gauge(self, name: str) -> float:
        """A metric summed over its labels; 0 before the first request."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name)


@dataclass(frozen=True)
class Client:
    """A pod with the official openai client, in the release's namespace. What it runs is `in_pod.py`, or another script
    that it was given."""

    namespace: Namespace
    pod: str = "client"
    script: Path = IN_POD

    def start(self) -> None:
        """Make the pod and wait until it runs."""
        scripts = (IN_POD, HOSTILE_IN_POD, STREAMS_IN_POD, RAW_HTTP)
        files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.pod}}
        key = {"secretKeyRef": {"name": "qwen3vl-keys", "key": "default"}}
        container = {
            "name": "client",
            "image": "localhost/qwen3vl/client:dev",
            "imagePullPolicy": "Never",
            "args": ["-c", "import signal; signal.pause()"],
            "env": [
                {"name": "OPENAI_BASE_URL", "value": "http://qwen3vl-gateway/v1"},
                {"name": "OPENAI_API_KEY", "valueFrom": key},
                {"name": "PYTHONPATH", "value": "/app:/e2e"},
            ],
            "volumeMounts": [{"name": "script", "mountPath": "/e2e"}],
        }
        # Where they lie in the repository, so that they find each other.
        items = [{"key": path.name, "path": str(path.relative_to(ROOT))} for path in scripts]
        volumes = [{"name": "script", "configMap": {"name": self.pod, "items": items}}]
        self.namespace.apply(
            {**files, "data": {path.name: path.read_text() for path in scripts}},
            restricted_pod(self.pod, container, volumes),
        )
        self.namespace.kubectl("wait", f"pod/{self.pod}", "--for=condition=Ready", "--timeout=60s")

    def running(self, script: Path) -> "Client":
        """The same pod with the functions of another script."""
        return replace(self, script=script)

    def _command(self, call: str) -> list[str]:
        target = ["--namespace", self.namespace.name, "exec", "--stdin", self.pod, "--"]
        return [str(KUBECTL), *target, "python", f"/e2e/{self.script.relative_to(ROOT)}", call]

    def __call__(self, call: str, **arguments: Any) -> Any:
        """The result of a function of the script, run in the pod."""
        return json.loads(run(*self._command(call), text=json.dumps(arguments)))

    def begin(self, call: str, **arguments: Any) -> "Begun":
        """The same in the background."""
        # A file, not a pipe: nobody reads while the call runs, and a full pipe would stop it.
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `result` closes it
        process = subprocess.Popen(self._command(call), stdin=subprocess.PIPE, stdout=said, text=True)
        assert process.stdin is not None
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        return Begun(process, said)


@dataclass(frozen=True)
class Begun:
    """A call that runs in the pod."""

    process: subprocess.Popen[str]
    said: IO[str]

    def result(self, seconds: float) -> Any:
        """Its result; AssertionError when it fails or takes longer."""
        try:
            assert self.process.wait(seconds) == 0, "the call in the pod failed; its error stands above"
            self.said.seek(0)
            return json.load(self.said)
        finally:
            self.process.kill()
            self.process.wait()
            self.said.close()


@dataclass(frozen=True)
class Simulator:
    """The simulator's own paths, asked from the client pod with the engine's key.

    `host`: one replica's address; empty means any one.
    """

    client: Client
    model: str
    host: str = ""

    def address(self, path: str) -> tuple[str, str]:
        """URL of a path of the engine's own, as the client pod reaches it, and the key."""
        secret = self.client.namespace.get("secrets", model_keys(self.client.namespace, self.model))
        key = base64.b64decode(secret["data"][f"{self.model}.engine"]).decode()
        return f"http://{self.host or f'{self.model}-engine'}:8000{path}", key

    def _ask(self, method: str, path: str, body: Object | None = None) -> Any:
        url, key = self.address(path)
        answer = self.client("http", method=method, url=url, key=key, body=body)
        assert answer["status"] == 200, answer
        return json.loads(answer["body"])

    def fault(self, kind: str, **settings: Any) -> None:
        """Switch a fault on, or off with `none`."""
        self._ask("POST", "/simulator/faults", {"fault": kind, **settings})

    def stats(self) -> dict[str, int]:
        return dict(self._ask("GET", "/simulator/stats"))
