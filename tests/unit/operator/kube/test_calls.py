"""What a request did, read from its method and path; and how seldom the same complaint is logged."""

import pytest

from qwen3vl_operator import names
from qwen3vl_operator.kube.calls import WRITES, Call
from qwen3vl_operator.kube.log_limiter import LogLimiter
from qwen3vl_operator.kube.resources import KINDS, PODS, STATEFUL_SETS, VISION_MODELS

APPLY = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("method", "path", "content_type", "expected"),
    [
        ("GET", STATEFUL_SETS.path("robots"), "application/json", ("list", "statefulsets")),
        ("GET", PODS.path("robots", "m-engine-0"), "application/json", ("get", "pods")),
        ("GET", "/apis/qwen3vl.io/v1alpha1/visionmodels", "application/json", ("list", "visionmodels")),
        ("POST", PODS.path("robots"), "application/json", ("create", "pods")),
        ("DELETE", PODS.path("robots", "m"), "application/json", ("delete", "pods")),
        ("PATCH", STATEFUL_SETS.path("robots", "m"), APPLY, ("apply", "statefulsets")),
        ("PATCH", VISION_MODELS.path("robots", "m", "status"), APPLY, ("apply-status", "visionmodels")),
        ("PATCH", PODS.path("robots", "m"), "application/merge-patch+json", ("patch", "pods")),
        ("PATCH", PODS.path("robots", "m"), "application/json-patch+json", ("patch", "pods")),
    ],
)
def test_verb_and_plural_follow_from_method_and_path(
    method: str, path: str, content_type: str, expected: tuple[str, str]
) -> None:
    call = Call(method, path, content_type, 200, 0.1)
    assert (call.verb, call.plural) == expected
    assert (call.verb in WRITES) is (method != "GET")


def test_how_a_request_ended() -> None:
    statuses = {200: "ok", 201: "ok", 400: "refused", 403: "refused", 404: "absent", 409: "conflict", 422: "refused"}
    statuses |= {429: "throttled", 500: "failed", 503: "failed", 0: "failed"}
    assert {status: Call("GET", "/api/v1/namespaces/a/pods", "", status, 0).result for status in statuses} == statuses


def test_every_resource_has_its_kind() -> None:
    assert KINDS[names.PLURAL] == names.KIND
    assert KINDS["pods"] == "Pod"


def test_a_complaint_is_logged_once_a_minute_with_the_number_left_out() -> None:
    limiter = LogLimiter()
    said = [limiter.left_out("a", now) for now in (10.0, 20.0, 69.0, 70.0, 71.0, 200.0)]
    assert said == [0, None, None, 2, None, 1]
    assert limiter.left_out("b", 71.0) == 0
