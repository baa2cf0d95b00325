"""Mistakes of users: a clear answer that says what is wrong, and no traceback in any log."""

import json

import pytest
from tests.support.release import Client, Release, simulator_model

MODEL = "simulator"


@pytest.mark.parametrize(
    ("case", "status", "code", "says"),
    [
        ("not JSON", 400, "invalid_json", "not JSON"),
        ("not an object", 400, "invalid_json", "object"),
        ("no model", 400, None, "model is required"),
        ("messages of the wrong type", 400, None, "messages is a list"),
        ("a number as text", 400, None, "max_tokens"),
        ("not a JPEG", 400, None, "picture"),
        ("not base64", 400, None, "base64"),
        ("a URL that is no data", 400, None, "data"),
        ("a header of 100 megapixels", 400, None, "pixels"),
        ("a body of 50 MB", 413, "request_too_large", "bytes"),
        ("no key", 401, "invalid_api_key", "Authorization"),
    ],
)
def test_a_bad_request_is_explained(
    client: Client, release: Release, case: str, status: int, code: str | None, says: str
) -> None:
    answer = client("bad", case=case, model=MODEL)
    error = json.loads(answer["body"])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer["status"] == status, error
    assert says in error["message"], error
    assert code is None or error["code"] == code


@pytest.mark.parametrize(
    ("name", "spec", "says"),
    [
        ("wrong", {"engine": {"name": "lmdeploy"}}, "source is required"),
        ("wrong", {"engine": {"name": "simulator", "tensorParallel": 3}}, "tensorParallel is 1, 2, 4, 8 or 16"),
        ("wrong", {"engine": {"name": "tgi"}}, 'supported values: "lmdeploy", "simulator"'),
        ("n" * 41, {}, "at most 40 characters"),
        ("wrong", {"engin": {}}, 'unknown field "spec.engin"'),
    ],
    ids=["no source", "three GPUs", "unknown engine", "long name", "misspelled field"],
)
def test_an_invalid_model_is_refused_with_a_reason(release: Release, name: str, spec: object, says: str) -> None:
    manifest = simulator_model(name)
    manifest["spec"] |= spec
    said = release.namespace.kubectl("apply", "--filename=-", text=json.dumps(manifest), check=False)
    assert says in said
    assert release.namespace.find("visionmodels", name) is None


def test_no_log_has_a_traceback(client: Client, release: Release) -> None:
    client("bad", case="not JSON", model=MODEL)
    assert any("qwen3vl_server.gateway" in said for said in release.namespace.logs().values()), "no log was read"
    assert not release.namespace.tracebacks()
