"""A real etcd and kube-apiserver with the CRD, a namespace per test, the operator as the process it is in a pod."""

import contextlib
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, Refused, eventually
from tests.integration.operator.controllers import ControlledCluster, controlled_cluster
from tests.integration.operator.rights import grant

from localkube.testing import ApiServer, api_server

ROOT = Path(__file__).resolve().parents[3]
CRD = yaml.safe_load((ROOT / "crds/visionmodels.yaml").read_text())
NAV_TASKS_CRD = yaml.safe_load((ROOT / "crds/navtasks.yaml").read_text())
CRDS = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: ApiServer) -> Api:
    """The apiserver with the CRD established."""
    admin = Api(server.url, server.pki)
    install_crd(admin)
    return admin


@pytest.fixture(scope="session")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledCluster]:
    """An apiserver of its own with the CRDs, where namespaces can be deleted and owned objects are collected."""
    with controlled_cluster(tmp_path_factory.mktemp("controlled"), install_crd) as running:
        yield running


def install_crd(api: Api) -> None:
    for crd in (CRD, NAV_TASKS_CRD):
        api.call("POST", CRDS, crd)
        eventually(lambda crd=crd: is_served(api, crd))  # type: ignore[misc]  # a lambda's default has no type


def is_served(api: Api, crd: dict[str, Any]) -> bool:
    conditions = api.call("GET", f"{CRDS}/{crd['metadata']['name']}").get("status", {}).get("conditions")
    if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions or []):
        return False
    try:
        api.call("GET", f"apis/qwen3vl.io/v1alpha1/{crd['spec']['names']['plural']}")
    except Refused:
        return False
    return True


def make_namespace(api: Api) -> Namespace:
    """A namespace with the service accounts that the controller-manager and the chart would make."""
    name = f"robots-{next(_numbers)}"
    api.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
    namespace = Namespace(api, name)
    for account in ("default", "qwen3vl-operator"):
        namespace.create("serviceaccounts", {"metadata": {"name": account}})
    return namespace


@pytest.fixture
def namespace(api: Api) -> Namespace:
    return make_namespace(api)


def model(name: str = "m", spec: dict[str, Any] | None = None) -> dict[str, Any]:
    kind = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel"}
    return {**kind, "metadata": {"name": name}, "spec": {"engine": {"name": "simulator"}} if spec is None else spec}


def operator_kubeconfig(server: ApiServer, namespace: Namespace, path: Path, url: str | None = None) -> Path:
    """A kubeconfig with nothing but the rights that the chart gives the operator."""
    grant(namespace, namespace)
    return rights.kubeconfig(namespace, url or server.url, server.pki, path)


@dataclass
class Operator:
    """The operator as a process."""

    process: subprocess.Popen[bytes]
    log: Path
    health_port: int
    metrics_port: int

    def health(self) -> int:
        """Status of /readyz; 0 when nobody answers."""
        return self.get("/readyz")[0]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an answer on the health port; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def end(self) -> None:
        """Tell it to end, and wait for that."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def spawn(
    kubeconfig: Path, namespace: str, log: Path, vln_url: str = "", more: Mapping[str, str] | None = None
) -> Operator:
    """Start the process.

    Args:
        namespace: the release's.
        more: further environment variables, such as QWEN3VL_NAMESPACES.
    """
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
        port, metrics_port = free.getsockname()[1], other.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'images/common'}",
        "KUBECONFIG": str(kubeconfig),
        "QWEN3VL_RELEASE_NAMESPACE": namespace,
        "QWEN3VL_SERVER_IMAGE": "registry.example/qwen3vl/server:1",
        "QWEN3VL_VLN_IMAGE": "registry.example/qwen3vl/vln:1",
        "QWEN3VL_GATEWAY_URL": f"http://qwen3vl-gateway.{namespace}/v1",
        "QWEN3VL_VLN_URL": vln_url,
        "QWEN3VL_HEALTH_PORT": str(port),
        "QWEN3VL_METRICS_PORT": str(metrics_port),
        **(more or {}),
    }
    command = [sys.executable, "-m", "qwen3vl_operator"]
    with log.open("ab") as sink:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    return Operator(process, log, port, metrics_port)


@contextlib.contextmanager
def operating(
    kubeconfig: Path, namespace: str, log: Path, vln_url: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Operator]:
    """The operator, ready; it ends with the block, and nothing in its log may be a traceback."""
    operator = spawn(kubeconfig, namespace, log, vln_url, more)
    try:
        eventually(lambda: operator.health() == 200, seconds=60)
        yield operator
    finally:
        operator.end()
    assert "Traceback" not in log.read_text()


NAVIGATION = {"engine": {"name": "simulator"}, "navigation": {}}


def nav_task(name: str = "walk", **spec: Any) -> dict[str, Any]:
    known = {"modelRef": {"name": "m"}, "robot": "go2-01", "instruction": "Walk to the red door."}
    kind = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "NavTask"}
    return {**kind, "metadata": {"name": name}, "spec": known | spec}


Start = Callable[[], contextlib.AbstractContextManager[Operator]]


@pytest.fixture
def start(server: ApiServer, namespace: Namespace, tmp_path: Path) -> Start:
    """Starts the operator of the test's namespace with the chart's rights; again, and it is a restart."""
    kubeconfig = operator_kubeconfig(server, namespace, tmp_path / "kubeconfig")
    return lambda: operating(kubeconfig, namespace.name, tmp_path / "operator.log")


@pytest.fixture
def operator(start: Start) -> Iterator[Operator]:
    with start() as running:
        yield running


CHILDREN = {
    "statefulsets": "m-engine",
    "services": "m-engine",
    "persistentvolumeclaims": "m-cache",
}


def condition(namespace: Namespace, kind: str, name: str = "m") -> dict[str, Any] | None:
    conditions = namespace.get("visionmodels", name).get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), None)


def has_reason(namespace: Namespace, kind: str, reason: str, name: str = "m") -> Callable[[], dict[str, Any] | None]:
    """For `eventually`: the condition once it has that reason."""

    def look() -> dict[str, Any] | None:
        found = condition(namespace, kind, name)
        return found if found is not None and found["reason"] == reason else None

    return look


def versions(namespace: Namespace) -> dict[tuple[str, str], str]:
    """resourceVersion of every model and child."""
    found = {}
    for plural in ("visionmodels", *CHILDREN):
        for thing in namespace.list(plural):
            found[plural, thing["metadata"]["name"]] = thing["metadata"]["resourceVersion"]
    return found


def settle(namespace: Namespace, quiet_seconds: float = 1.0) -> dict[tuple[str, str], str]:
    """Versions once nothing has changed for a while."""
    deadline = time.monotonic() + 30
    before, since = versions(namespace), time.monotonic()
    while time.monotonic() - since < quiet_seconds:
        assert time.monotonic() < deadline, "objects do not come to rest"
        now = versions(namespace)
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)
    return before
