"""What the chart of a checkout says of the operator: its objects, environment, probes and memory limit."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hack.bench.operatorbench.failure import RunFailure

from localkube import binaries

Object = dict[str, Any]
OPERATOR = "qwen3vl-operator"
POD = f"{OPERATOR}-bench"
"""Name of the pod, but for a number that tells a restart from the start."""
_IMAGES = ("operator", "server", "vln")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Probe:
    """A kubelet's HTTP probe, with Kubernetes' defaults where the chart names nothing."""

    path: str
    initial_delay_seconds: float = 0.0
    period_seconds: float = 10.0
    timeout_seconds: float = 1.0
    failure_threshold: int = 3


@dataclass(frozen=True)
class Release:
    """A rendered chart.

    Attributes:
        objects: all that helm would install, without hooks.
        environment: the operator's variables.
        probes: by kind: `liveness`, `readiness`, `startup`.
        memory_bytes: the operator's limit.
    """

    objects: list[Object]
    environment: dict[str, str]
    probes: dict[str, Probe]
    memory_bytes: int


def render(source: Path, namespace: str) -> Release:
    """The chart of the checkout at `source`, as `helm install --namespace` would render it.

    Raises:
        RunFailure: helm refuses it.
    """
    binaries.ensure(["helm"])
    command = [str(binaries.path_of("helm")), "template", "qwen3vl", str(source / "charts/qwen3vl")]
    command += ["--namespace", namespace]
    for image in _IMAGES:
        command += ["--set", f"{image}.image.repository=registry.example/qwen3vl/{image}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RunFailure(f"helm template: {done.stderr.strip()}")
    return release(list(yaml.safe_load_all(done.stdout)), namespace)


def release(rendered: list[Object | None], namespace: str) -> Release:
    """What the rendered objects say of the operator."""
    objects = [one for one in rendered if one and "helm.sh/hook" not in (one["metadata"].get("annotations") or {})]
    [deployment] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Deployment", OPERATOR)]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    kinds = {kind: container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")}
    return Release(
        objects,
        {one["name"]: _value(one, namespace) for one in container["env"]},
        {kind: probe(body) for kind, body in kinds.items() if body},
        quantity(container["resources"]["limits"]["memory"]),
    )


def _value(variable: Object, namespace: str) -> str:
    if "value" in variable:
        return str(variable["value"])
    field = str(((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath"))
    return namespace if field == "metadata.namespace" else POD


def probe(body: Object) -> Probe:
    """The probe of a container."""
    return Probe(
        path=body["httpGet"]["path"],
        initial_delay_seconds=body.get("initialDelaySeconds", Probe.initial_delay_seconds),
        period_seconds=body.get("periodSeconds", Probe.period_seconds),
        timeout_seconds=body.get("timeoutSeconds", Probe.timeout_seconds),
        failure_threshold=body.get("failureThreshold", Probe.failure_threshold),
    )


def quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as 512Mi."""
    match = re.fullmatch(r"(\d+)([a-zA-Z]*)", str(text))
    if match is None or match[2] not in _UNITS:
        raise RunFailure(f"{text!r} is no quantity of bytes; 512Mi is one")
    return int(match[1]) * _UNITS[match[2]]
