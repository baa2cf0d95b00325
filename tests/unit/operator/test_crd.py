"""The CRD is what `hack/generate` makes of the models, and describes every field that the operator writes."""

import pathlib
import subprocess
import sys
from typing import Any

import pytest
from hack.devtools import generate
from tests.unit.operator import samples
from tests.unit.operator.vision_model.pod_samples import RUNNING

from qwen3vl_operator.crds import vision_models
from qwen3vl_operator.kube.structural import structural
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.status import status

ROOT = samples.ROOT


def test_generated_files_are_fresh() -> None:
    ended = subprocess.run([ROOT / "hack/generate", "--check"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_stale_files_are_noticed_and_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    assert "stale: crds/visionmodels.yaml" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0
    assert (tmp_path / "charts/qwen3vl/templates/crds/visionmodels.yaml").exists()


def schema() -> dict[str, Any]:
    found: dict[str, Any] = vision_models()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def test_every_field_of_the_spec_has_a_description_and_a_type() -> None:
    def look(part: dict[str, Any], path: str) -> None:
        assert part.get("description"), path
        assert part.get("type") or part.get("x-kubernetes-int-or-string"), path
        for name, child in part.get("properties", {}).items():
            look(child, f"{path}.{name}")
        if "properties" in part.get("items", {}):
            for name, child in part["items"]["properties"].items():
                look(child, f"{path}[].{name}")

    for name, part in schema()["properties"]["spec"]["properties"].items():
        look(part, name)


def test_a_full_status_has_no_field_that_the_apiserver_would_prune() -> None:
    model = samples.model(samples.LMDEPLOY | {"cache": {}})
    failure = {
        "pod": "m-engine-0",
        "container": "engine",
        "reason": "OutOfMemory",
        "exitCode": 137,
        "time": samples.NOW,
        "message": "Killed",
    }
    full = status(model, Observed(**RUNNING), gateway_url="u", previous={"lastFailure": failure}, now=samples.NOW)
    known = schema()["properties"]["status"]

    def look(value: Any, part: dict[str, Any], path: str) -> None:
        if isinstance(value, dict):
            for name, child in value.items():
                assert name in part["properties"], f"{path}.{name} would be pruned"
                look(child, part["properties"][name], f"{path}.{name}")
        elif isinstance(value, list):
            for child in value:
                look(child, part["items"], f"{path}[]")
        else:
            kinds = {"string": str, "integer": int}
            assert isinstance(value, kinds[part["type"]]), path

    look(full, known, "status")
    assert set(full) == set(known["properties"])


def test_a_union_has_no_structural_schema() -> None:
    with pytest.raises(ValueError, match="union"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]})
