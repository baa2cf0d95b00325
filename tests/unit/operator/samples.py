"""VisionModels and pods as the apiserver has them, for tests."""

import copy
import pathlib
from typing import Any

import yaml

from qwen3vl_operator.vision_model.desired import Settings
from qwen3vl_operator.vision_model.spec import VisionModel, parse

Object = dict[str, Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
INTERNAL_SECRET = bytes(range(32))
SETTINGS = Settings(
    server_image="registry.example/qwen3vl/server:1",
    server_image_pull_policy="IfNotPresent",
    vln_image="registry.example/qwen3vl/vln:1",
    vln_image_pull_policy="IfNotPresent",
    gateway_url="http://qwen3vl-gateway.serving/v1",
    internal_secret=INTERNAL_SECRET,
)
NOW = "2026-03-01T12:00:00Z"
LMDEPLOY = {"source": {"volume": {"claimName": "weights", "path": "Qwen3-VL-32B-Instruct"}}}
SIMULATOR = {"engine": {"name": "simulator"}}

EVERYTHING: Object = {
    "servedName": "Qwen3.VL_32B",
    "source": {"volume": {"claimName": "weights"}},
    "cache": {"size": "20Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany", "onDelete": "Delete"},
    "engine": {
        "image": "registry.example/lmdeploy:mine",
        "imagePullPolicy": "Always",
        "tensorParallel": 2,
        "contextLength": 4096,
        "gpuMemoryFraction": 0.7,
        "prefixCaching": False,
        "args": ["--dtype", "bfloat16"],
        "env": [
            {"name": "NCCL_DEBUG", "value": "INFO"},
            {"name": "HF_HUB_OFFLINE", "value": "0"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
        ],
    },
    "resources": {"gpu": "amd.com/gpu", "cpu": "500m", "memory": "32Gi", "sharedMemory": "1Gi"},
    "replicas": 3,
    "pod": {
        "nodeSelector": {"gpu": "h200"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "serving",
        "runtimeClassName": "nvidia",
        "imagePullSecrets": [{"name": "registry"}],
        "labels": {"team": "nav", "qwen3vl.io/model": "not-yours"},
        "annotations": {"note": "kept"},
    },
}
"""Every field of a spec."""


def body(
    name: str = "m", spec: Object | None = None, *, created: str = "2026-03-01T10:00:00Z", **metadata: Any
) -> Object:
    """A VisionModel object."""
    known = {
        "name": name,
        "namespace": "robots",
        "uid": f"uid-of-{name}",
        "generation": 1,
        "creationTimestamp": created,
    }
    return {
        "apiVersion": "qwen3vl.io/v1alpha1",
        "kind": "VisionModel",
        "metadata": known | metadata,
        "spec": copy.deepcopy(SIMULATOR if spec is None else spec),
    }


def model(spec: Object | None = None, name: str = "m") -> VisionModel:
    return parse(body(name, spec))


def example(file: str) -> Object:
    """A VisionModel of `examples/`, as if it were in the cluster."""
    raw = yaml.safe_load((ROOT / "examples" / file).read_text())
    return body(raw["metadata"]["name"], raw["spec"])
