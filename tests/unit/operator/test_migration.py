"""What the pre-upgrade hook writes: once, nothing twice, never a deletion, never a key in the log."""

import copy
import logging
from typing import Any

import pytest
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.resources import Object, Resource
from qwen3vl_operator.migration import CARRIED, FIELD_MANAGER, carried, is_owned_by, kept, mark, migrate

KEY = "c2stdGhlLWtleQ=="
SECOND = "c2stYW5vdGhlci1rZXk="


def model(name: str, uid: str, namespace: str = "robots") -> Object:
    kind = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel"}
    return {**kind, "metadata": {"name": name, "namespace": namespace, "uid": uid}, "spec": {}}


def secret(name: str, data: dict[str, str], namespace: str = "robots", owner: str = "") -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Owner", "name": "o", "uid": owner}]
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def robot_keys(kube: FakeKube, namespace: str = "robots") -> Object:
    return kube.objects["secrets", namespace, "qwen3vl-robot-keys"]


@pytest.fixture
def before() -> FakeKube:
    """Two namespaces as the version before left them."""
    kube = FakeKube()
    kube.put(api.SECRETS, secret("qwen3vl-keys", {"default": KEY}, "home"))
    kube.put(api.SECRETS, secret("qwen3vl-internal", {"key": KEY}, "home", owner="deployment"))
    for name in ("alpha", "beta"):
        kube.put(api.VISION_MODELS, model(name, f"{name}-uid-of-36-characters"))
        data = {"default": KEY, "go2-01": SECOND}
        kube.put(api.SECRETS, secret(f"{name}-robot-keys", data, owner=f"{name}-uid-of-36-characters"))
    kube.put(api.VISION_MODELS, model("without-navigation", "uid-3"))
    return kube


async def test_keys_are_kept_freed_and_carried_over(before: FakeKube) -> None:
    await migrate(before, "home", ["robots"])
    assert before.objects["secrets", "home", "qwen3vl-keys"]["metadata"]["annotations"] == {
        "helm.sh/resource-policy": "keep"
    }
    assert "ownerReferences" not in before.objects["secrets", "home", "qwen3vl-internal"]["metadata"]
    assert robot_keys(before)["data"] == {
        "alpha.default": KEY,
        "alpha.go2-01": SECOND,
        "beta.default": KEY,
        "beta.go2-01": SECOND,
    }
    assert ("secrets", "robots", "alpha-robot-keys") in before.objects, "nothing is deleted"


async def test_a_second_run_writes_nothing(before: FakeKube) -> None:
    await migrate(before, "home", ["robots"])
    versions, written = before.versions(), len(before.writes)
    await migrate(before, "home", ["robots"])
    assert (before.versions(), len(before.writes)) == (versions, written)


async def test_a_fresh_installation_has_nothing_to_migrate() -> None:
    kube = FakeKube()
    await migrate(kube, "home", ["home"])
    assert kube.writes == []


@pytest.mark.parametrize("after_effect", [False, True], ids=["refused", "answer lost"])
async def test_a_run_that_failed_at_any_call_can_be_repeated(before: FakeKube, after_effect: bool) -> None:
    whole = copy.deepcopy(before)
    await migrate(whole, "home", ["robots"])
    for call in range(1, whole.calls + 1):
        kube = copy.deepcopy(before)
        kube.fail_at, kube.after_effect = call, after_effect
        try:
            await migrate(kube, "home", ["robots"])
        except ApiError as error:
            assert "injected" in str(error)
        kube.fail_at = None
        await migrate(kube, "home", ["robots"])
        assert robot_keys(kube)["data"] == robot_keys(whole)["data"], call
        for name in ("qwen3vl-keys", "qwen3vl-internal"):
            changed, wanted = (one.objects["secrets", "home", name]["metadata"] for one in (kube, whole))
            assert changed.keys() == wanted.keys(), call


async def test_an_entry_that_is_there_stays_as_it_is(before: FakeKube) -> None:
    before.put(api.SECRETS, secret("qwen3vl-robot-keys", {"alpha.default": SECOND}))
    await migrate(before, "home", ["robots"])
    assert robot_keys(before)["data"]["alpha.default"] == SECOND
    assert robot_keys(before)["data"]["beta.default"] == KEY


async def test_a_key_that_was_taken_back_does_not_return(before: FakeKube) -> None:
    await migrate(before, "home", ["robots"])
    del robot_keys(before)["data"]["alpha.go2-01"]
    await migrate(before, "home", ["robots"])
    assert "alpha.go2-01" not in robot_keys(before)["data"]


async def test_a_secret_of_somebody_else_is_left_alone() -> None:
    kube = FakeKube()
    kube.put(api.VISION_MODELS, model("alpha", "new-uid"))
    kube.put(api.SECRETS, secret("alpha-robot-keys", {"default": KEY}, owner="old-uid"))
    await migrate(kube, "home", ["robots"])
    assert kube.writes == []


class Forbidden(FakeKube):
    """An API that lets nobody list models in one namespace."""

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        if namespace == "gone":
            raise ApiError(403, "visionmodels is forbidden")
        return await super().list(resource, namespace, labels=labels, fields=fields)


async def test_a_namespace_that_cannot_be_read_is_told_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    kube = Forbidden()
    kube.put(api.VISION_MODELS, model("alpha", "uid-1"))
    kube.put(api.SECRETS, secret("alpha-robot-keys", {"default": KEY}, owner="uid-1"))
    await migrate(kube, "home", ["gone", "robots"])
    assert robot_keys(kube)["data"] == {"alpha.default": KEY}
    assert "namespace gone cannot be read and is skipped: visionmodels is forbidden" in caplog.text


class Contended(FakeKube):
    """An API where the operator makes an entry just before the first apply arrives."""

    async def apply(self, resource: Resource, body: Object, *, manager: str = "", force: bool = True) -> Object:
        if ("secrets", "robots", "qwen3vl-robot-keys") not in self.objects:
            self.put(api.SECRETS, secret("qwen3vl-robot-keys", {"alpha.default": SECOND}))
            raise ApiError(409, "Apply failed with 1 conflict")
        assert (manager, force) == (FIELD_MANAGER, False)
        return await super().apply(resource, body, manager=manager, force=force)


async def test_an_entry_made_meanwhile_by_the_operator_wins() -> None:
    kube = Contended()
    kube.put(api.VISION_MODELS, model("alpha", "uid-1"))
    kube.put(api.SECRETS, secret("alpha-robot-keys", {"default": KEY, "go2-01": KEY}, owner="uid-1"))
    await migrate(kube, "home", ["robots"])
    assert robot_keys(kube)["data"] == {"alpha.default": SECOND, "alpha.go2-01": KEY}


async def test_the_log_names_each_step_and_no_key(before: FakeKube, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await migrate(before, "home", ["robots"])
    assert "Secret home/qwen3vl-keys: kept" in caplog.text
    assert "Secret home/qwen3vl-internal: does not go" in caplog.text
    assert "carried over alpha.default, alpha.go2-01, beta.default" in caplog.text
    for value in (KEY, SECOND, "sk-the-key"):
        assert value not in caplog.text


def test_entries_applied_before_are_named_again() -> None:
    """Server-side apply removes what its manager does not name any more."""
    alpha, beta = model("alpha", "uid-alpha"), model("beta", "uid-beta")
    present = secret("qwen3vl-robot-keys", {"alpha.default": KEY, "theirs.default": SECOND})
    ours: dict[str, Any] = {"f:data": {".": {}, "f:alpha.default": {}, "f:alpha.taken-back": {}}}
    present["metadata"] |= {
        "annotations": {CARRIED: mark(alpha)},
        "managedFields": [{"manager": FIELD_MANAGER, "fieldsV1": ours}, {"manager": "other", "fieldsV1": {}}],
    }
    old = [(one, secret("s", {"default": KEY})) for one in (alpha, beta)]
    body = carried("robots", old, present)
    assert body is not None
    assert body["data"] == {"alpha.default": KEY, "beta.default": KEY}
    assert body["metadata"]["annotations"] == {CARRIED: f"{mark(alpha)},{mark(beta)}"}


def test_what_is_right_already_needs_no_patch() -> None:
    thing = secret("s", {})
    assert not is_owned_by(thing, model("m", "uid"))
    thing["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    assert kept(thing) is None
