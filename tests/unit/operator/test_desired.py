"""Rendered objects against golden files: a difference in review is a difference in production.

After a wanted change: `QWEN3VL_WRITE_GOLDEN=1 python -m pytest tests/unit/operator/test_desired.py`, then read the
difference in git."""

import os
import pathlib
from dataclasses import replace

import pytest
import yaml
from tests.unit.operator import samples

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.desired import desired
from qwen3vl_operator.model import parse

GOLDEN = pathlib.Path(__file__).parent / "golden"
EVERYTHING = {
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
CASES = {
    "lmdeploy": (samples.example("lmdeploy.yaml"), True),
    "simulator": (samples.example("simulator.yaml"), True),
    "everything": (samples.body("everything", EVERYTHING), True),
    "name-collision": (samples.body("younger", samples.SIMULATOR | {"servedName": "shared"}), False),
}


def render(case: str) -> str:
    body, owns_served_name = CASES[case]
    objects = desired(parse(body), samples.SETTINGS, owns_served_name=owns_served_name)
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


@pytest.mark.parametrize("case", CASES)
def test_rendered_objects_are_the_golden_ones(case: str) -> None:
    path, text = GOLDEN / f"{case}.yaml", render(case)
    if os.environ.get("QWEN3VL_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_there_is_no_golden_file_that_nothing_renders() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_no_two_passes_render_differently(case: str) -> None:
    assert render(case) == render(case)


@pytest.mark.parametrize("case", CASES)
def test_no_key_stands_outside_the_secret(case: str) -> None:
    body, owns = CASES[case]
    model = parse(body)
    key = derive(samples.SETTINGS.internal_secret, "engine", model.namespace, model.name)
    for thing in desired(model, samples.SETTINGS, owns_served_name=owns):
        assert key not in yaml.safe_dump(thing)  # base64 in the Secret, nowhere in plain text
    assert samples.SETTINGS.internal_secret.hex() not in repr(samples.SETTINGS)
    assert repr(samples.SETTINGS.internal_secret) not in repr(samples.SETTINGS)


def test_another_secret_gives_another_key_and_restarts_the_engine() -> None:
    model = samples.model()
    other = replace(samples.SETTINGS, internal_secret=bytes(32))
    one, two = (desired(model, settings, owns_served_name=True) for settings in (samples.SETTINGS, other))
    assert one[0]["data"] != two[0]["data"]
    assert one[-1]["spec"]["template"] != two[-1]["spec"]["template"]


def test_the_hash_changes_with_the_content_alone() -> None:
    model, same = samples.model(), samples.model()
    changed = samples.model(samples.SIMULATOR | {"replicas": 2})
    hashes = [
        [
            thing["metadata"]["annotations"][names.APPLIED_HASH]
            for thing in desired(one, samples.SETTINGS, owns_served_name=True)
        ]
        for one in (model, same, changed)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0][:-1] == hashes[2][:-1]
    assert hashes[0][-1] != hashes[2][-1]
