"""What the steps of `steps` change: merge patches (dictionaries) and JSON patches (lists). Values alone."""

from typing import Any

MARK = "fuzz"
"""Begins the name of everything that a step adds and the operator is to leave alone."""
SPEC_EDITS: dict[str, tuple[Any, ...]] = {
    "replicas": (0, 1, 2, 3),
    "servedName": (None, "shared", "shared", "Qwen3.VL"),
    "engine": (
        {"name": "simulator", "args": None, "image": None},
        {"name": "lmdeploy", "tensorParallel": 2, "image": "registry.example/lmdeploy:latest"},
        {"name": "lmdeploy", "image": "registry.example/lmdeploy:v2"},
        {"args": ["--a-flag", "1"]},
        {"contextLength": 4096},
        {"env": [{"name": "EMPTY", "value": ""}, {"name": "LEVEL", "value": "1"}]},
        {"env": [{"name": "LEVEL", "value": "2"}]},
        {"env": None, "contextLength": None},
    ),
    "navigation": (
        {},
        {},
        None,
        {"auth": "None"},
        {"auth": None, "keysSecret": "own-robots"},
        {"keysSecret": None},
        {"replicas": 0},
        {"replicas": 1, "resources": {"cpu": "0.2"}},
        {"recordings": {"maxSize": "256Mi"}},
    ),
    "cache": ({"size": "1Gi"}, {"size": "1Gi", "onDelete": "Delete"}, {"size": "1Gi", "onDelete": "Retain"}, None),
    "pod": (
        None,
        {"labels": {"team": "nav"}, "nodeSelector": {"gpu": "yes"}},
        {"labels": None, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
        {"annotations": {"seen": "1"}, "imagePullSecrets": [{"name": "pull"}]},
    ),
    "resources": ({"cpu": "0.5"}, {"cpu": "500m", "memory": "1024Mi"}, None),
    "paused": (True, False, False),
}
"""Merge patches of each part of a VisionModel's spec; weights lie on a volume, so that every engine may be chosen."""
CHILD_EDITS: tuple[Any, ...] = (
    {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
    {"metadata": {"labels": {"qwen3vl.io/model": "other", "qwen3vl.io/served-name": None}}},
    {"metadata": {"labels": {"qwen3vl.io/model-uid": None, f"{MARK}.example/note": "1"}}},
    {"metadata": {"annotations": {"qwen3vl.io/applied-hash": None}}},
    {"metadata": {"annotations": {f"{MARK}.example/note": "1"}}},
    {"metadata": {"annotations": {"qwen3vl.io/generation": None, "qwen3vl.io/rollout-began": None}}},
    {"metadata": {"ownerReferences": None}},
)
"""Merge patches for any child."""
WORKLOAD_EDITS: tuple[Any, ...] = (
    {"spec": {"replicas": 5}},
    {"metadata": {"annotations": {"qwen3vl.io/spec-hash": "0"}}},
    {"spec": {"template": {"spec": {"nodeSelector": {"gpu": "no", f"{MARK}.example/disk": "fast"}}}}},
    {"spec": {"template": {"metadata": {"annotations": None}}}},
    {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1, "volumes": None}}}},
    [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": f"{MARK}_EXTRA", "value": "1"}}],
    [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/evil:v1"}],
    [{"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}],
    [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": f"{MARK}-side", "image": "a:1"}}],
    [{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": f"{MARK}-extra", "emptyDir": {}}}],
)
SERVICE_EDITS: tuple[Any, ...] = (
    {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 8000}]}},
    {"spec": {"selector": {"qwen3vl.io/model-uid": "other"}}},
    [{"op": "add", "path": "/spec/ports/-", "value": {"name": f"{MARK}-extra", "port": 99}}],
)
_POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
_WORKLOAD = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": _POD}
OBSTACLES: dict[str, Any] = {
    "services": {"ports": [{"port": 1}], "selector": {"a": "b"}},
    "persistentvolumeclaims": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Mi"}}},
    "deployments": _WORKLOAD,
    "statefulsets": _WORKLOAD | {"serviceName": "x"},
}
"""Specs of somebody else's objects, by plural."""
