"""Reconciling against a dictionary of objects: what one pass writes, what a second does not, and that faults heal."""

import asyncio
import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator import internal_secret, names
from qwen3vl_operator.kube import client as api
from qwen3vl_operator.kube.client import ApiError, Object, Resource
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.vision_model.reconcile import LOOK_AGAIN_SECONDS, LOOK_SOON_SECONDS, Reconciler

KEY = Key("robots", "m")
SPECS: dict[str, Object] = {
    "simulator": {"engine": {"name": "simulator"}, "replicas": 0},
    "lmdeploy": samples.LMDEPLOY | {"cache": {}},
    "navigation": {"engine": {"name": "simulator"}, "navigation": {}},
    "everything": samples.LMDEPLOY
    | {
        "navigation": {"keysSecret": "robots"},
        "servedName": "Qwen3.VL",
        "cache": {"size": "1Gi", "onDelete": "Delete"},
        "pod": {"labels": {"team": "nav"}, "nodeSelector": {"gpu": "h200"}, "tolerations": [{"operator": "Exists"}]},
        "engine": {
            "args": ["--dtype", "auto"],
            "env": [{"name": "A", "value": "1"}, {"name": "HF_HUB_OFFLINE", "value": "0"}],
        },
    },
}


@dataclass
class NoLinks:
    """Remembers which models were said to have a VLN API."""

    served: set[tuple[str, str]] = field(default_factory=set)

    def serve(self, namespace: str, model: str) -> None:
        self.served.add((namespace, model))

    def end(self, namespace: str, model: str) -> None:
        self.served.discard((namespace, model))


def cluster(spec: Object) -> tuple[FakeKube, Reconciler]:
    kube = FakeKube()
    kube.put(api.VISION_MODELS, samples.body("m", spec))
    return kube, Reconciler(kube, samples.SETTINGS, ("robots",), lambda: samples.NOW, NoLinks())


def look(reconciler: Reconciler, key: Key = KEY) -> float | None:
    return asyncio.run(reconciler.reconcile(key))


def live(kube: FakeKube, resource: Resource, name: str) -> Object:
    return kube.objects[resource.plural, "robots", name]


def condition(kube: FakeKube, kind: str, name: str = "m") -> Object:
    conditions = live(kube, api.VISION_MODELS, name)["status"]["conditions"]
    return next(one for one in conditions if one["type"] == kind)


def shape(kube: FakeKube) -> dict[Any, Object]:
    """All objects without what differs between two ways to the same end."""
    result = copy.deepcopy(kube.objects)
    for thing in result.values():
        del thing["metadata"]["resourceVersion"]
        if thing["kind"] != names.KIND:
            del thing["metadata"]["uid"]
    return result


@pytest.mark.parametrize("name", SPECS)
def test_a_second_pass_writes_nothing(name: str) -> None:
    kube, reconciler = cluster(SPECS[name])
    look(reconciler)
    look(reconciler)  # tells what the first pass made
    kube.writes.clear()
    before = kube.versions()
    look(reconciler)
    assert (kube.writes, kube.versions()) == ([], before)


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("name", SPECS)
def test_a_fault_at_any_call_leaves_a_state_that_converges(name: str, after_effect: bool) -> None:
    kube, reconciler = cluster(SPECS[name])
    look(reconciler)
    look(reconciler)
    calls, goal = kube.calls, shape(kube)
    assert calls > 10
    for number in range(1, calls + 1):
        kube, reconciler = cluster(SPECS[name])
        kube.fail_at, kube.after_effect = number, after_effect
        failed = 0
        for _ in range(4):
            try:
                look(reconciler)
            except ApiError:
                failed += 1
        assert failed <= 1
        assert shape(kube) == goal, f"after a fault at call {number}"


CHILDREN = (
    (api.STATEFUL_SETS, "m-engine"),
    (api.SERVICES, "m-engine"),
    (api.CLAIMS, "m-cache"),
    (api.SECRETS, "m-keys"),
)


def _damage(kube: FakeKube, resource: Resource, name: str, kind: str) -> None:
    if kind == "missing":
        kube.lose(resource, "robots", name)
        return
    thing = live(kube, resource, name)
    if kind == "label":
        thing["metadata"]["labels"][names.COMPONENT] = "other"
    elif kind == "hash":
        del thing["metadata"]["annotations"]
    elif "spec" in thing:
        thing["spec"] = {"replicas": 7}
    else:
        thing["data"] = {}


@settings(deadline=None)
@given(
    damage=st.dictionaries(
        st.sampled_from(range(len(CHILDREN))), st.sampled_from(["missing", "label", "hash", "content"]), min_size=1
    )
)
def test_any_children_missing_or_altered_are_repaired_in_one_pass(damage: dict[int, str]) -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    look(reconciler)
    look(reconciler)
    wanted = {place: copy.deepcopy(thing) for place, thing in shape(kube).items() if thing["kind"] != names.KIND}
    for number, kind in damage.items():
        _damage(kube, *CHILDREN[number], kind)
    look(reconciler)
    found = {place: thing for place, thing in shape(kube).items() if thing["kind"] != names.KIND}
    for place, thing in wanted.items():
        assert found[place]["metadata"]["labels"] == thing["metadata"]["labels"]
        for part in ("spec", "data"):
            assert _contains(found[place].get(part), thing.get(part))
    look(reconciler)
    kube.writes.clear()
    look(reconciler)
    assert kube.writes == []


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_contains(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)


def test_a_field_that_is_no_longer_wanted_goes() -> None:
    kube, reconciler = cluster(SPECS["everything"])
    look(reconciler)
    spec = live(kube, api.STATEFUL_SETS, "m-engine")["spec"]["template"]
    assert spec["metadata"]["labels"]["team"] == "nav"
    changed = live(kube, api.VISION_MODELS, "m")
    changed["spec"]["pod"] = {}
    changed["spec"]["servedName"] = "other"
    look(reconciler)
    template = live(kube, api.STATEFUL_SETS, "m-engine")["spec"]["template"]
    assert "team" not in template["metadata"]["labels"]
    assert "nodeSelector" not in template["spec"]
    assert live(kube, api.SERVICES, "m-engine")["metadata"]["labels"][names.SERVED_NAME] == "other"


def test_a_child_that_is_no_longer_wanted_is_pruned_but_never_a_claim() -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    look(reconciler)
    mine = live(kube, api.SECRETS, "m-keys")
    kube.put(api.SECRETS, {**mine, "metadata": {**mine["metadata"], "name": "m-old", "uid": "u1"}})
    foreign = {**mine["metadata"], "name": "m-copied-labels", "uid": "u2", "ownerReferences": []}
    kube.put(api.SECRETS, {**mine, "metadata": foreign})
    del live(kube, api.VISION_MODELS, "m")["spec"]["cache"]
    kube.writes.clear()
    look(reconciler)
    assert [write for write in kube.writes if write.startswith("delete")] == ["delete Secret m-old"]
    assert ("persistentvolumeclaims", "robots", "m-cache") in kube.objects
    assert ("secrets", "robots", "m-copied-labels") in kube.objects


@pytest.mark.parametrize("resource", [resource for resource, _ in CHILDREN])
def test_an_object_of_somebody_else_is_left_alone(resource: Resource) -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    name = dict(CHILDREN)[resource]
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    foreign = kube.put(resource, {**kind, "metadata": {"name": name, "namespace": "robots"}, "spec": {"mine": 1}})
    before = copy.deepcopy(foreign)
    assert look(reconciler) == LOOK_SOON_SECONDS
    assert live(kube, resource, name) == before
    assert kube.writes == ["status m"]
    accepted = condition(kube, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "NameTaken")
    assert f"{resource.kind} {name}" in accepted["message"]
    assert condition(kube, "Ready")["reason"] == "NameTaken"
    kube.lose(resource, "robots", name)
    look(reconciler)
    assert condition(kube, "Accepted")["status"] == "True"


def test_a_retained_cache_is_used_again_by_a_model_of_the_same_name() -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    look(reconciler)
    old = live(kube, api.CLAIMS, "m-cache")
    for resource, name in CHILDREN:
        if resource is not api.CLAIMS:
            kube.lose(resource, "robots", name)
    kube.put(api.VISION_MODELS, samples.body("m", SPECS["lmdeploy"], uid="another-uid"))
    look(reconciler)
    found = live(kube, api.CLAIMS, "m-cache")
    assert found["metadata"]["uid"] == old["metadata"]["uid"]
    assert found["metadata"]["labels"][names.MODEL_UID] == "another-uid"
    assert condition(kube, "Accepted")["status"] == "True"


def test_a_deleted_or_unknown_model_causes_no_write() -> None:
    kube, reconciler = cluster(SPECS["simulator"])
    live(kube, api.VISION_MODELS, "m")["metadata"]["deletionTimestamp"] = samples.NOW
    assert look(reconciler) is None
    assert look(reconciler, Key("robots", "never-there")) is None
    assert kube.writes == []


def test_of_two_models_with_one_name_the_oldest_is_routed() -> None:
    kube, reconciler = cluster(SPECS["simulator"] | {"servedName": "shared"})
    older = samples.body("older", SPECS["simulator"] | {"servedName": "shared"}, created="2026-01-01T00:00:00Z")
    kube.put(api.VISION_MODELS, older)
    look(reconciler)
    look(reconciler, Key("robots", "older"))
    assert names.SERVED_NAME not in live(kube, api.SERVICES, "m-engine")["metadata"]["labels"]
    assert live(kube, api.SERVICES, "older-engine")["metadata"]["labels"][names.SERVED_NAME] == "shared"
    exposed = condition(kube, "Exposed")
    assert (exposed["status"], exposed["reason"]) == ("False", "NameCollision")
    assert "older" in exposed["message"]
    kube.lose(api.VISION_MODELS, "robots", "older")
    look(reconciler)
    assert live(kube, api.SERVICES, "m-engine")["metadata"]["labels"][names.SERVED_NAME] == "shared"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(422, "spec: Forbidden: spec is immutable after creation"), "Immutable"),
        (ApiError(422, "spec.template.spec.tolerations[0].operator: Unsupported value"), "InvalidSpec"),
        (ApiError(403, "exceeded quota: compute, requested: requests.storage=100Gi"), "Forbidden"),
    ],
)
def test_what_the_apiserver_refuses_is_said_and_the_rest_is_done(error: ApiError, reason: str) -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    kube.refuse["PersistentVolumeClaim"] = error
    assert look(reconciler) == LOOK_SOON_SECONDS
    accepted = condition(kube, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert str(error) in accepted["message"]
    assert ("statefulsets", "robots", "m-engine") in kube.objects


def test_other_errors_are_for_the_queue_to_try_again() -> None:
    kube, reconciler = cluster(SPECS["lmdeploy"])
    kube.refuse["PersistentVolumeClaim"] = ApiError(429, "too many requests")
    with pytest.raises(ApiError):
        look(reconciler)


def test_a_spec_that_the_schema_let_through_and_the_models_do_not_keeps_what_runs() -> None:
    kube, reconciler = cluster(SPECS["simulator"])
    look(reconciler)
    live(kube, api.VISION_MODELS, "m")["spec"]["replicas"] = "many"
    kube.writes.clear()
    assert look(reconciler) == LOOK_AGAIN_SECONDS
    assert kube.writes == ["status m"]
    accepted = condition(kube, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "InvalidSpec")
    assert "spec.replicas" in accepted["message"]
    assert live(kube, api.VISION_MODELS, "m")["status"]["children"]["statefulSet"] == "m-engine"


def test_pods_that_cannot_be_made_are_explained_by_the_newest_event() -> None:
    kube, reconciler = cluster(SPECS["simulator"] | {"replicas": 1})
    look(reconciler)
    uid = live(kube, api.STATEFUL_SETS, "m-engine")["metadata"]["uid"]
    for name, time, message in (
        ("b", "2026-03-01T11:00:00Z", "old quota"),
        ("a", "2026-03-01T11:59:00Z", "pods forbidden"),
    ):
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "robots"}}
        kube.put(api.EVENTS, {**event, "involvedObject": {"uid": uid}, "lastTimestamp": time, "message": message})
    assert look(reconciler) == LOOK_SOON_SECONDS
    scheduled = condition(kube, "Scheduled")
    assert (scheduled["reason"], scheduled["message"]) == ("PodRejected", "pods forbidden")


def test_the_internal_secret_is_made_once_and_never_touched_again() -> None:
    kube = FakeKube()
    first = asyncio.run(internal_secret.ensure(kube, "serving", None))
    assert kube.writes == ["create Secret qwen3vl-internal"]
    again = asyncio.run(internal_secret.ensure(kube, "serving", None))
    assert (first, len(first)) == (again, 32)
    assert kube.writes == ["create Secret qwen3vl-internal"]


def test_an_internal_secret_with_something_else_in_it_is_an_error_that_says_what_to_do() -> None:
    kube = FakeKube()
    thing = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "qwen3vl-internal", "namespace": "serving"}}
    kube.put(api.SECRETS, {**thing, "data": {"key": "c2hvcnQ="}})
    with pytest.raises(internal_secret.InternalSecretError, match="delete it, then the operator makes a new one"):
        asyncio.run(internal_secret.ensure(kube, "serving", None))


def test_vln_apis_are_followed_while_they_are_there() -> None:
    kube, reconciler = cluster(SPECS["navigation"])
    links = reconciler.vln_apis
    assert isinstance(links, NoLinks)
    look(reconciler)
    assert links.served == {("robots", "m")}
    assert ("deployments", "robots", "m-vln") in kube.objects
    live(kube, api.VISION_MODELS, "m")["spec"]["navigation"]["replicas"] = 0
    look(reconciler)
    assert links.served == set()
    assert ("deployments", "robots", "m-vln") not in kube.objects
    assert ("horizontalpodautoscalers", "robots", "m-vln") not in kube.objects
    live(kube, api.VISION_MODELS, "m")["spec"]["navigation"] = {}
    look(reconciler)
    kube.lose(api.VISION_MODELS, "robots", "m")
    look(reconciler)
    assert links.served == set()
