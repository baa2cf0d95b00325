"""A release of the chart on an apiserver without nodes: the test plays kubelet to the one Job that helm waits for."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.integration.chart.rendering import CHART, REGISTRY, ROOT, Object
from tests.integration.operator.api import MERGE, Api, Namespace, eventually

from localkube import binaries
from localkube.testing import ApiServer

NAME = "qwen3vl"
BATCH = "apis/batch/v1"
MIGRATION = "labelSelector=app.kubernetes.io%2Fcomponent%3Dmigration"
MIGRATIONS_KINDS = (
    ("api/v1", "serviceaccounts"),
    ("apis/rbac.authorization.k8s.io/v1", "roles"),
    ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    (BATCH, "jobs"),
)


class HelmFailed(Exception):
    """helm ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Release:
    """The chart in `home`, which watches the namespaces that a test names."""

    server: ApiServer
    home: Namespace
    other: Namespace
    folder: Path

    @property
    def api(self) -> Api:
        return self.home.api

    def install(self, chart: Path = CHART, **values: Any) -> None:
        process = self._helm("install", NAME, str(chart))
        self._end(process, values)

    def upgrade(self, **values: Any) -> str:
        """Upgrade, with the migration's Job run as its container says; what that logged.

        Raises:
            HelmFailed: helm says why.
        """
        process = self._helm("upgrade", NAME, str(CHART))
        self._send(process, values)
        job = eventually(lambda: process.poll() is not None or self._waiting_job(), seconds=60)
        logged = self._run(job) if isinstance(job, dict) else ""
        self._end(process)
        return logged

    def uninstall(self) -> None:
        self._end(self._helm("uninstall", NAME))

    def apply(self, **values: Any) -> str:
        """What `helm template` renders, applied by kubectl, and the migration's Job run; what that logged."""
        rendered = self._end(self._helm("template", NAME, str(CHART), "--skip-tests"), values)
        self.kubectl("apply", "--filename", "-", text=rendered)
        job = self._waiting_job()
        return self._run(job) if job else ""

    def kubectl(self, *arguments: str, text: str = "") -> None:
        target = ("--namespace", self.home.name, "--kubeconfig", str(self.server.kubeconfig))
        command = [str(binaries.path_of("kubectl")), *arguments, *target]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def status(self) -> str:
        """`<revision> <status>` of the newest revision that was deployed."""
        process = self._helm("history", NAME, "--output", "json")
        revisions = json.loads(self._end(process))
        return " ".join(f"{one['revision']}:{one['status']}" for one in revisions)

    def migrations_objects(self) -> list[str]:
        """What the hook has left behind."""
        places = [
            (root, namespace.name, plural) for root, plural in MIGRATIONS_KINDS for namespace in (self.home, self.other)
        ]
        answers = [
            self.api.call("GET", f"{root}/namespaces/{name}/{plural}?{MIGRATION}") for root, name, plural in places
        ]
        return [item["metadata"]["name"] for answer in answers for item in answer["items"]]

    def migrate(self, account: Namespace, namespaces: str) -> subprocess.CompletedProcess[str]:
        """The migration as a process with the rights of its ServiceAccount."""
        path = f"api/v1/namespaces/{account.name}/serviceaccounts/qwen3vl-migration/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        config = yaml.safe_load(self.server.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": self.api.call("POST", path, request)["status"]["token"]}
        kubeconfig = self.folder / "migration.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'images/common'}",
            "KUBECONFIG": str(kubeconfig),
            "QWEN3VL_RELEASE_NAMESPACE": account.name,
            "QWEN3VL_NAMESPACES": namespaces,
        }
        command = [sys.executable, "-m", "qwen3vl_operator.migration"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def _waiting_job(self) -> Object | None:
        jobs = self.api.call("GET", f"{BATCH}/namespaces/{self.home.name}/jobs?{MIGRATION}")["items"]
        return next((job for job in jobs if not job["status"].get("conditions")), None)

    def _run(self, job: Object) -> str:
        """Run the Job's container here and say that it succeeded, as kubelet and Job controller would."""
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert (pod["serviceAccountName"], container["command"]) == (
            "qwen3vl-migration",
            ["python", "-m", "qwen3vl_operator.migration"],
        )
        told = {one["name"]: one["value"] for one in container["env"]}
        assert told["QWEN3VL_RELEASE_NAMESPACE"] == self.home.name
        done = self.migrate(self.home, told["QWEN3VL_NAMESPACES"])
        assert done.returncode == 0, done.stderr
        now = job["metadata"]["creationTimestamp"]
        conditions = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
        status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
        path = f"{BATCH}/namespaces/{self.home.name}/jobs/{job['metadata']['name']}/status"
        self.api.call("PATCH", path, {"status": status}, MERGE)
        return done.stderr + done.stdout

    def _helm(self, *arguments: str) -> subprocess.Popen[str]:
        values = ("--values", "-") if arguments[0] in ("install", "upgrade", "template") else ()
        target = ("--namespace", self.home.name, "--kubeconfig", str(self.server.kubeconfig))
        command = [str(binaries.path_of("helm")), *arguments, *values, *target]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def _send(self, process: "subprocess.Popen[str]", values: Object) -> None:
        """The values: images from a registry, the definitions left to the administrator."""
        assert process.stdin is not None
        process.stdin.write(json.dumps({"crds": {"install": False}} | REGISTRY | values))
        process.stdin.close()
        process.stdin = None

    def _end(self, process: "subprocess.Popen[str]", values: Object | None = None) -> str:
        if values is not None:
            self._send(process, values)
        said, wrong = process.communicate(timeout=120)
        if process.returncode != 0:
            raise HelmFailed(wrong)
        return said


def secret(name: str, data: dict[str, str], owner: Object | None = None) -> Object:
    """A Secret with these keys, and an owner that is there."""
    metadata: Object = {"name": name}
    if owner is not None:
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        metadata["ownerReferences"] = [{**reference, "uid": owner["metadata"]["uid"]}]
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded}
