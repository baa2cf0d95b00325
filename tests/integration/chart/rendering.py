"""What the chart renders, by the real helm, and ways to find things in it. No cluster."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts/qwen3vl"
HELM = ROOT / "hack/cluster/helm"
Object = dict[str, Any]
REGISTRY: Object = {"global": {"imageRegistry": "registry.example"}}
"""The least values: without any image named the chart renders nothing."""
SECRETS = ("qwen3vl-internal", "qwen3vl-keys", "qwen3vl-robot-keys", *(f"qwen3vl-model-keys-{n:x}" for n in range(16)))
"""Secrets that the operator makes for all models of a namespace or of the release."""


def helm_template(values: Object, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of a release `qwen3vl` in the namespace `home`."""
    command = [str(HELM), "template", "qwen3vl", str(CHART), "--namespace", "home", "--values", "-", *arguments]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True)


def render(**values: Any) -> list[Object]:
    """The objects for these values; images come from a registry unless the values say otherwise."""
    done = helm_template(REGISTRY | values)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def object_names(**values: Any) -> set[str]:
    """Names of all namespaced objects of an installation that are not a model's: the chart's and the operator's."""
    rendered = {item["metadata"]["name"] for item in render(**values) if item["kind"] != "CustomResourceDefinition"}
    return rendered | set(SECRETS)


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [item for item in objects if item["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in of_kind(objects, kind) if item["metadata"]["name"] == name)


def is_hook(item: Object) -> bool:
    return "helm.sh/hook" in (item["metadata"].get("annotations") or {})


def pod_templates(objects: list[Object]) -> dict[str, Object]:
    """Every pod that the chart makes, with its metadata: the Deployments', the Job's and the test's."""
    templates = {item["metadata"]["name"]: item["spec"]["template"] for item in of_kind(objects, "Deployment", "Job")}
    return templates | {item["metadata"]["name"]: item for item in of_kind(objects, "Pod")}


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    return {name: template["spec"] for name, template in pod_templates(objects).items()}


def container(objects: list[Object], deployment: str) -> Object:
    return dict(pod_specs(objects)[deployment]["containers"][0])


def environment(objects: list[Object], deployment: str) -> dict[str, str]:
    """The variables that have a value."""
    return {one["name"]: one["value"] for one in container(objects, deployment)["env"] if "value" in one}


def migration_job(objects: list[Object]) -> str:
    """The name of the migration's Job, which depends on what it runs."""
    (job,) = of_kind(objects, "Job")
    return str(job["metadata"]["name"])
