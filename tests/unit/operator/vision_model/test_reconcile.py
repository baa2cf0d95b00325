"""Reconciling against a dictionary of objects: what one pass writes, what a second does not, and that faults heal."""

import asyncio
import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.vision_model.world import World

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object, Resource
from qwen3vl_operator.vision_model.desired.spec_hash import former_spec_hash
from qwen3vl_operator.vision_model.reconcile import (
    LONGEST_RETRY_SECONDS,
    LOOK_AGAIN_SECONDS,
    LOOK_SOON_SECONDS,
    UNLISTED_SECONDS,
)
from qwen3vl_operator.vision_model.spec import parse

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


def cluster(spec: Object) -> World:
    return World(samples.body("m", spec))


def settled(spec: Object) -> World:
    world = cluster(spec)
    world.settle()
    return world


def shape(kube: FakeKube) -> dict[Any, Object]:
    """All objects without what differs between two ways to the same end."""
    result = {place: thing for place, thing in copy.deepcopy(kube.objects).items() if place[0] != "events"}
    for thing in result.values():
        del thing["metadata"]["resourceVersion"]
        if thing["kind"] != names.KIND:
            del thing["metadata"]["uid"]
    return result


@pytest.mark.parametrize("name", SPECS)
def test_a_pass_at_rest_makes_no_call_at_all(name: str) -> None:
    world = settled(SPECS[name])
    world.kube.writes.clear()
    before, calls = world.kube.versions(), world.kube.calls
    world.look()
    assert (world.kube.writes, world.kube.versions(), world.kube.calls) == ([], before, calls)


@pytest.mark.parametrize("name", SPECS)
def test_a_new_process_writes_nothing(name: str) -> None:
    world = settled(SPECS[name])
    again = _over(world)
    before = again.kube.versions()
    again.keys()
    again.look()
    again.look()
    assert again.kube.versions() == before


def _over(world: World) -> World:
    """Another process over the same objects."""
    other = World()
    other.kube.objects = world.kube.objects
    other.kube._applied, other.kube._numbers = world.kube._applied, world.kube._numbers
    return other


def test_news_are_told_though_nobody_has_read_the_events_of_those_that_wait() -> None:
    """Where hundreds wait, that takes minutes."""
    world = settled(SERVED | {"replicas": 2})
    world.make_ready()
    world.look()
    assert world.says("Ready") == ("True", "Ready")
    world.time = "2026-03-01T13:00:00Z"
    world.kube.lose(api.PODS, "robots", "m-engine-1")
    world.look()
    assert world.says("Ready") == ("False", "Creating")


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("status", [409, 429, 500, 0])
@pytest.mark.parametrize("name", SPECS)
def test_a_fault_at_any_call_is_told_and_converges(name: str, status: int, after_effect: bool) -> None:
    world = cluster(SPECS[name])
    world.keys()
    before = world.kube.calls
    world.look()
    world.look()
    calls, goal = world.kube.calls - before, shape(world.kube)
    assert calls > 4
    for number in range(1, calls + 1):
        world = cluster(SPECS[name])
        world.keys()
        world.kube.fail_at = world.kube.calls + number
        world.kube.after_effect, world.kube.fault = after_effect, (status, "injected fault")
        failed = 0
        for _ in range(4):
            try:
                world.look()
            except ApiError:
                failed += 1  # the status itself could not be written: the queue tries again
            told = world.live(api.VISION_MODELS, "m").get("status", {}).get("conditions", [])
            if told and _applied_less(world, goal):
                accepted = world.says("Accepted")
                assert accepted == ("False", "ApplyFailed"), f"after a fault at call {number}"
                assert "injected fault" in world.condition("Accepted")["message"]
        assert failed <= 1
        assert shape(world.kube) == goal, f"after a fault at call {number}"


def test_a_status_that_lost_a_race_is_written_again_and_one_of_an_object_that_is_gone_is_not() -> None:
    world = cluster(SPECS["simulator"])
    world.keys()
    world.kube.refuse["VisionModel/status"] = ApiError(409, "the object has been modified; please apply your changes")
    with pytest.raises(ApiError):
        world.look()
    world.kube.refuse["VisionModel/status"] = ApiError(404, "not found")
    assert world.look() is not None


def _applied_less(world: World, goal: dict[Any, Object]) -> bool:
    return set(goal) > set(world.kube.objects)


CHILDREN = (
    (api.STATEFUL_SETS, "m-engine"),
    (api.SERVICES, "m-engine"),
    (api.CLAIMS, "m-cache"),
)


def _damage(world: World, resource: Resource, name: str, kind: str) -> None:
    if kind == "missing":
        world.kube.lose(resource, "robots", name)
        return
    thing = world.live(resource, name)
    if kind == "label":
        thing["metadata"]["labels"][names.COMPONENT] = "other"
    elif kind == "mark":
        del thing["metadata"]["labels"][names.MANAGED_BY]
    elif kind == "hash":
        del thing["metadata"]["annotations"]
    else:
        thing["spec"] = {"replicas": 7}
    world.touch(resource, name)


@settings(deadline=None)
@given(
    damage=st.dictionaries(
        st.sampled_from(range(len(CHILDREN))),
        st.sampled_from(["missing", "label", "mark", "hash", "content"]),
        min_size=1,
    )
)
def test_any_children_missing_or_altered_are_repaired_in_one_pass(damage: dict[int, str]) -> None:
    world = settled(SPECS["lmdeploy"])
    wanted = {place: copy.deepcopy(thing) for place, thing in shape(world.kube).items() if thing["kind"] != names.KIND}
    for number, kind in damage.items():
        _damage(world, *CHILDREN[number], kind)
    world.look()
    found = {place: thing for place, thing in shape(world.kube).items() if thing["kind"] != names.KIND}
    for place, thing in wanted.items():
        assert found[place]["metadata"]["labels"] == thing["metadata"]["labels"]
        assert _contains(found[place].get("spec"), thing.get("spec"))
    world.look()
    world.kube.writes.clear()
    world.look()
    assert world.kube.writes == []


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_contains(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)


def test_a_field_that_is_no_longer_wanted_goes() -> None:
    world = settled(SPECS["everything"])
    spec = world.live(api.STATEFUL_SETS, "m-engine")["spec"]["template"]
    assert spec["metadata"]["labels"]["team"] == "nav"
    world.edit(pod={}, servedName="other")
    world.look()
    template = world.live(api.STATEFUL_SETS, "m-engine")["spec"]["template"]
    assert "team" not in template["metadata"]["labels"]
    assert "nodeSelector" not in template["spec"]
    assert world.live(api.SERVICES, "m-engine")["metadata"]["labels"][names.SERVED_NAME] == "other"


def test_a_child_that_is_no_longer_wanted_is_pruned_but_never_a_claim() -> None:
    world = settled(SPECS["lmdeploy"])
    mine = world.live(api.SERVICES, "m-engine")
    world.kube.put(api.SERVICES, {**mine, "metadata": {**mine["metadata"], "name": "m-old", "uid": "u1"}})
    foreign = {**mine["metadata"], "name": "m-copied-labels", "uid": "u2", "ownerReferences": []}
    world.kube.put(api.SERVICES, {**mine, "metadata": foreign})
    world.edit(cache=None)
    world.kube.writes.clear()
    world.look()
    assert [write for write in world.kube.writes if write.startswith("delete")] == ["delete Service m-old"]
    assert world.has(api.CLAIMS, "m-cache")
    assert world.has(api.SERVICES, "m-copied-labels")


def test_the_autoscaler_of_the_first_version_is_pruned() -> None:
    world = settled(SPECS["navigation"])
    deployment = world.live(api.DEPLOYMENTS, "m-vln")
    metadata = {**deployment["metadata"], "uid": "u1"}
    world.kube.put(api.AUTOSCALERS, {"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": {}})
    world.look()
    assert not world.has(api.AUTOSCALERS, "m-vln")
    # The watch of its kind began after its end, and does not tell of it.
    asyncio.run(world.reconciler.reconcile(Key("robots", "m")))
    world.kube.writes.clear()
    asyncio.run(world.reconciler.reconcile(Key("robots", "m")))
    assert world.kube.writes == [], "it is not deleted again and again"


def test_a_vln_api_scaled_to_nothing_by_hand_is_put_back() -> None:
    world = settled(SPECS["navigation"])
    world.live(api.DEPLOYMENTS, "m-vln")["spec"]["replicas"] = 0
    world.touch(api.DEPLOYMENTS, "m-vln")
    world.look()
    assert world.live(api.DEPLOYMENTS, "m-vln")["spec"]["replicas"] == 1


@pytest.mark.parametrize("resource", [resource for resource, _ in CHILDREN])
def test_an_object_of_somebody_else_is_left_alone_and_the_rest_goes_on(resource: Resource) -> None:
    world = cluster(SPECS["lmdeploy"])
    world.keys()
    name = dict(CHILDREN)[resource]
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    foreign = world.kube.put(resource, {**kind, "metadata": {"name": name, "namespace": "robots"}, "spec": {"mine": 1}})
    before = copy.deepcopy(foreign)
    assert (world.look() or 0) <= LOOK_SOON_SECONDS
    assert world.live(resource, name) == before
    assert world.says("Accepted") == ("False", "NameTaken")
    assert f"{resource.kind} {name}" in world.condition("Accepted")["message"]
    assert world.condition("Ready")["reason"] == "NameTaken"
    for other, child in CHILDREN:
        if other is not resource:
            assert world.live(other, child)["metadata"]["ownerReferences" if other is not api.CLAIMS else "labels"]
    world.edit(servedName="edited")
    world.look()
    if resource is not api.SERVICES:
        assert world.live(api.SERVICES, "m-engine")["metadata"]["labels"][names.SERVED_NAME] == "edited"
    world.kube.lose(resource, "robots", name)
    world.look()
    assert world.says("Accepted")[0] == "True"


def test_a_retained_cache_is_used_again_by_a_model_of_the_same_name() -> None:
    world = settled(SPECS["lmdeploy"])
    old = world.live(api.CLAIMS, "m-cache")
    for resource, name in CHILDREN:
        if resource is not api.CLAIMS:
            world.kube.lose(resource, "robots", name)
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.kube.put(api.VISION_MODELS, samples.body("m", SPECS["lmdeploy"], uid="another-uid"))
    world.look()
    found = world.live(api.CLAIMS, "m-cache")
    assert found["metadata"]["uid"] == old["metadata"]["uid"]
    assert found["metadata"]["labels"][names.MODEL_UID] == "another-uid"
    assert world.says("Accepted")[0] == "True"


def test_a_deleted_or_unknown_model_causes_no_call() -> None:
    world = cluster(SPECS["simulator"])
    world.live(api.VISION_MODELS, "m")["metadata"]["deletionTimestamp"] = samples.NOW
    assert world.look() is None
    assert world.look(Key("robots", "never-there")) is None
    assert world.kube.calls == 0


def test_of_two_models_with_one_name_the_oldest_is_routed() -> None:
    world = cluster(SPECS["simulator"] | {"servedName": "shared"})
    older = samples.body("older", SPECS["simulator"] | {"servedName": "shared"}, created="2026-01-01T00:00:00Z")
    world.kube.put(api.VISION_MODELS, older)
    world.look()
    world.look(Key("robots", "older"))
    assert names.SERVED_NAME not in world.live(api.SERVICES, "m-engine")["metadata"]["labels"]
    assert world.live(api.SERVICES, "older-engine")["metadata"]["labels"][names.SERVED_NAME] == "shared"
    assert world.says("Exposed") == ("False", "NameCollision")
    assert "older" in world.condition("Exposed")["message"]
    world.kube.lose(api.VISION_MODELS, "robots", "older")
    world.look()
    assert world.live(api.SERVICES, "m-engine")["metadata"]["labels"][names.SERVED_NAME] == "shared"


def test_a_model_whose_spec_does_not_parse_keeps_the_name_by_which_it_is_served() -> None:
    older = samples.body("older", SPECS["simulator"] | {"servedName": "shared"}, created="2026-01-01T00:00:00Z")
    world = World(older, samples.body("m", SPECS["simulator"] | {"servedName": "shared"}))
    world.look(Key("robots", "older"))
    world.edit("older", replicas="many")
    world.look(Key("robots", "older"))
    world.look()
    assert world.says("Exposed") == ("False", "NameCollision")
    assert names.SERVED_NAME not in world.live(api.SERVICES, "m-engine")["metadata"]["labels"]
    world.kube.lose(api.SERVICES, "robots", "older-engine")
    world.look()
    assert names.SERVED_NAME in world.live(api.SERVICES, "m-engine")["metadata"]["labels"], "it has nothing to serve"


def test_no_served_name_is_given_away_while_a_namespace_is_unread() -> None:
    world = cluster(SPECS["simulator"])
    world.places.unread = ("slow",)
    world.keys()
    world.look()
    assert names.SERVED_NAME not in world.live(api.SERVICES, "m-engine")["metadata"]["labels"]
    assert world.says("Exposed")[0] == "Unknown"
    assert "slow" in world.condition("Exposed")["message"]
    world.places.unread = ()
    world.look()
    assert names.SERVED_NAME in world.live(api.SERVICES, "m-engine")["metadata"]["labels"]
    world.places.unread = ("slow",)
    before = world.kube.versions()[("services", "robots", "m-engine")]
    world.look()
    assert world.kube.versions()[("services", "robots", "m-engine")] == before, "who has it keeps it"


def test_a_new_process_tells_nothing_else_of_a_name_before_it_has_read_every_namespace() -> None:
    world = settled(SPECS["simulator"])
    told, before = world.says("Exposed"), world.kube.versions()
    again = _over(world)
    again.keys()
    again.places.unread, again.places.pending = ("slow",), True
    assert again.look() == UNLISTED_SECONDS
    assert again.kube.versions() == before
    again.places.pending = False
    assert again.look() == LOOK_SOON_SECONDS, "one that does not answer is looked for again, and costs others little"
    assert (told[1], again.says("Exposed")[1]) == ("ScaledToZero", "NamespaceUnread")
    again.places.unread = ()
    again.look()
    assert again.says("Exposed") == told


@pytest.mark.parametrize(
    ("error", "reason", "again"),
    [
        (ApiError(422, "spec: Forbidden: spec is immutable after creation"), "Immutable", LOOK_SOON_SECONDS),
        (ApiError(422, "spec.tolerations[0].operator: Unsupported value"), "InvalidSpec", LOOK_SOON_SECONDS),
        (
            ApiError(403, "exceeded quota: compute, requested: requests.storage=100Gi"),
            "Forbidden",
            LOOK_SOON_SECONDS,
        ),
        (ApiError(500, 'failed calling webhook "v.example": connection refused'), "ApplyFailed", 1.0),
        (ApiError(429, "too many requests"), "ApplyFailed", 1.0),
        (ApiError(0, "no answer of the apiserver within 10 s"), "ApplyFailed", 1.0),
    ],
)
@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Service", "StatefulSet"])
def test_what_cannot_be_applied_is_told_in_every_pass_and_the_rest_is_done(
    kind: str, error: ApiError, reason: str, again: float
) -> None:
    world = cluster(SPECS["lmdeploy"])
    world.keys()
    world.kube.refuse[kind] = error
    assert (world.look() or 0) <= again
    for _ in range(2):
        assert world.says("Accepted") == ("False", reason)
        assert str(error) in world.condition("Accepted")["message"]
        assert f"{kind} m-" in world.condition("Accepted")["message"]
        for resource, name in CHILDREN:
            assert world.has(resource, name) == (resource.kind != kind)
        world.edit(replicas=2)
        world.look()
        generation = world.live(api.VISION_MODELS, "m")["metadata"]["generation"]
        told = world.live(api.VISION_MODELS, "m")["status"]
        assert told["observedGeneration"] == generation
        assert {one["observedGeneration"] for one in told["conditions"]} == {generation}
    world.kube.refuse.clear()
    world.look()
    assert world.says("Accepted")[0] == "True"


@pytest.mark.parametrize("value", ["on", "correct horse battery"])
def test_a_refusal_that_quotes_an_environment_variable_is_told_and_logged_without_it(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = cluster(samples.LMDEPLOY | {"engine": {"env": [{"name": "A", "value": value}]}})
    world.keys()
    world.kube.refuse["StatefulSet"] = ApiError(422, f'env[0].value: Invalid value: "{value}": not on this cluster')
    world.look()
    told = "env[0].value: Invalid value: ***: not on this cluster"
    assert told in world.condition("Accepted")["message"]
    assert told in caplog.text
    assert f'"{value}"' not in caplog.text


def test_what_failed_is_tried_again_soon_and_ever_more_seldom() -> None:
    world = cluster(SPECS["simulator"])
    world.kube.refuse["Service"] = ApiError(500, "webhook")
    waits = [world.look() for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS]
    world.kube.refuse.clear()
    world.keys()
    assert world.look() == LOOK_AGAIN_SECONDS or world.look() == LOOK_AGAIN_SECONDS


def test_a_forbidden_call_has_the_namespace_checked() -> None:
    world = cluster(SPECS["lmdeploy"])
    world.kube.refuse["Service"] = ApiError(403, "no")
    world.look()
    assert world.places.suspected == ["robots"]


def test_a_spec_that_the_schema_let_through_and_the_models_do_not_keeps_what_runs() -> None:
    world = settled(SPECS["simulator"])
    world.edit(replicas="many")
    world.kube.writes.clear()
    assert world.look() == LOOK_AGAIN_SECONDS
    assert [write for write in world.kube.writes if "Event" not in write] == ["status m"]
    assert world.says("Accepted") == ("False", "InvalidSpec")
    assert "spec.replicas" in world.condition("Accepted")["message"]
    assert world.live(api.VISION_MODELS, "m")["status"]["children"]["statefulSet"] == "m-engine"


def test_a_pass_that_takes_too_long_is_broken_off_and_told() -> None:
    class Slow(FakeKube):
        async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
            await asyncio.sleep(1000)
            return None

    from tests.support.virtual_time import run

    world = World(samples.body("m", SPECS["simulator"]), kube=Slow())
    assert run(world.passes()) == 1
    assert world.says("Accepted") == ("False", "ApplyFailed")
    assert "took longer than 60 s" in world.condition("Accepted")["message"]


def test_an_engine_waits_for_its_keys_and_no_object_mounts_what_is_not_there() -> None:
    world = cluster(SPECS["navigation"])
    world.look()
    assert world.has(api.SERVICES, "m-engine")
    assert not world.has(api.STATEFUL_SETS, "m-engine")
    assert not world.has(api.DEPLOYMENTS, "m-vln")
    world.keys()
    world.look()
    assert world.has(api.STATEFUL_SETS, "m-engine")
    assert world.has(api.DEPLOYMENTS, "m-vln")


def test_keys_that_cannot_be_written_are_told_where_the_models_owner_looks() -> None:
    world = cluster(SPECS["navigation"])
    world.kube.refuse["Secret"] = ApiError(500, 'failed calling webhook "v.example": connection refused')
    world.look()
    with pytest.raises(ApiError):
        world.keys()
    world.look()
    assert world.says("Accepted") == ("False", "ApplyFailed")
    assert "Secret qwen3vl-model-keys-" in world.condition("Accepted")["message"]
    assert "connection refused" in world.condition("Accepted")["message"]
    world.kube.refuse.clear()
    world.keys()
    world.look()
    assert world.says("Accepted") == ("True", "Valid")


def test_vln_apis_are_followed_while_they_are_there() -> None:
    world = settled(SPECS["navigation"])
    assert world.links.served == {("robots", "m")}
    assert world.has(api.DEPLOYMENTS, "m-vln")
    world.edit(navigation={"replicas": 0})
    world.look()
    assert not world.has(api.DEPLOYMENTS, "m-vln")
    world.look()
    assert world.links.served == set()
    world.edit(navigation={})
    world.look()
    assert world.links.served == {("robots", "m")}
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.kube.lose(api.DEPLOYMENTS, "robots", "m-vln")
    world.look()
    assert world.links.served == set()


@pytest.mark.parametrize("trouble", ["paused", "not deleted", "spec", "model gone"])
def test_a_vln_api_that_nobody_wants_is_followed_until_it_is_gone(trouble: str) -> None:
    """Robots walk by it, and its NavTasks can be stopped, as long as it runs."""
    world = _over(settled(SPECS["navigation"]))
    if trouble == "model gone":
        world.kube.lose(api.VISION_MODELS, "robots", "m")
    elif trouble == "spec":
        world.edit(replicas="many")
    elif trouble == "paused":
        world.edit(navigation=None, paused=True)
    else:
        world.edit(navigation=None)
        world.kube.fail_at = world.kube.calls + 1
    world.look()
    assert world.has(api.DEPLOYMENTS, "m-vln")
    assert world.links.served == {("robots", "m")}
    world.kube.lose(api.DEPLOYMENTS, "robots", "m-vln")
    world.look()
    assert world.links.served == set()


def test_paused_nothing_is_changed_or_deleted_and_the_status_says_so() -> None:
    world = settled(SPECS["navigation"])
    world.edit(paused=True, navigation=None, servedName="other")
    before = {place: at for place, at in world.kube.versions().items() if place[0] not in ("visionmodels", "events")}
    world.look()
    world.kube.lose(api.SERVICES, "robots", "m-engine")
    world.look()
    del before["services", "robots", "m-engine"]
    after = {place: at for place, at in world.kube.versions().items() if place[0] not in ("visionmodels", "events")}
    assert after == before
    assert world.says("Accepted") == ("True", "Paused")
    assert world.says("UpToDate") == ("False", "Paused")
    world.edit(paused=None)
    world.look()
    assert world.has(api.SERVICES, "m-engine")
    assert not world.has(api.DEPLOYMENTS, "m-vln")


# The operator's own changes


SERVED = {"engine": {"name": "simulator"}, "replicas": 1}
TWO = ("m", "second")


def two_models(spec: Object = SERVED) -> World:
    world = World(
        samples.body("m", spec, created="2026-01-01T00:00:00Z"),
        samples.body("second", spec, created="2026-02-01T00:00:00Z"),
    )
    for name in TWO:
        world.settle(Key("robots", name))
        world.make_ready(name)
        world.look(Key("robots", name))
        assert world.says("Ready", name) == ("True", "Ready")
    return world


def image(world: World, name: str) -> str:
    template = world.live(api.STATEFUL_SETS, f"{name}-engine")["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"]).rpartition(":")[2]


def test_an_upgrade_of_the_operator_takes_one_model_at_a_time_the_oldest_first() -> None:
    world = two_models()
    world.upgrade()
    assert world.look(Key("robots", "second")) is not None
    for _ in range(2):
        world.look(Key("robots", "m"))
        world.look(Key("robots", "second"))
    assert (image(world, "m"), image(world, "second")) == ("2", "1")
    assert world.says("UpToDate", "second") == ("False", "UpgradeQueued")
    assert world.says("Ready", "second") == ("True", "Ready"), "it serves on as it was"
    world.make_ready("m")
    world.look(Key("robots", "m"))
    assert Key("robots", "second") in world.notified
    world.look(Key("robots", "second"))
    assert image(world, "second") == "2"


def test_a_change_of_the_spec_is_never_queued() -> None:
    world = two_models()
    world.upgrade()
    world.look(Key("robots", "m"))
    world.edit("second", engine={"name": "simulator", "contextLength": 4096})
    world.look(Key("robots", "second"))
    assert image(world, "second") == "2"


def test_drift_is_repaired_also_while_an_upgrade_is_under_way() -> None:
    world = two_models()
    engine = world.live(api.STATEFUL_SETS, "second-engine")
    engine["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:v1"
    world.touch(api.STATEFUL_SETS, "second-engine")
    world.rollouts.began(Key("robots", "m"), 1e9)
    world.look(Key("robots", "second"))
    assert image(world, "second") == "1"


def test_a_model_of_the_version_before_has_no_hash_and_is_rolled_out_in_its_turn() -> None:
    world = two_models()
    for name in TWO:
        annotations = world.live(api.STATEFUL_SETS, f"{name}-engine")["metadata"]["annotations"]
        del annotations[names.SPEC_HASH], annotations[names.GENERATION]
        annotations[names.APPLIED_HASH] = "another"
        world.touch(api.STATEFUL_SETS, f"{name}-engine")
    world.upgrade()
    for name in reversed(TWO):
        world.look(Key("robots", name))
    for name in TWO:
        world.look(Key("robots", name))
    assert (image(world, "m"), image(world, "second")) == ("2", "1")


def test_a_model_with_a_former_operators_hash_is_rolled_out_in_its_turn_however_its_spec_was_scaled() -> None:
    world = two_models(SERVED | {"engine": {"name": "simulator", "contextLength": 8192}})  # as the apiserver writes it
    for name in TWO:
        annotations = world.live(api.STATEFUL_SETS, f"{name}-engine")["metadata"]["annotations"]
        body = world.live(api.VISION_MODELS, name)
        annotations |= {names.SPEC_HASH: former_spec_hash(parse(body), "StatefulSet"), names.GENERATION: "0"}
        annotations[names.APPLIED_HASH] = "another"
        world.touch(api.STATEFUL_SETS, f"{name}-engine")
    world.upgrade()
    for name in reversed(TWO):
        world.look(Key("robots", name))
    for name in TWO:
        world.look(Key("robots", name))
    assert (image(world, "m"), image(world, "second")) == ("2", "1")


def key_hash(world: World, resource: Resource, word: str) -> str:
    template = world.live(resource, f"m-{word}")["spec"]["template"]
    return str(template["metadata"]["annotations"][f"{names.GROUP}/{word}-key-hash"])


def test_a_vln_api_with_another_key_than_the_operators_waits_for_no_turn() -> None:
    """It answers 401 until it restarts: no robot that it leads could be stopped."""
    world = settled(SPECS["navigation"])
    world.rollouts.began(Key("robots", "another"), 1e9)
    vln, engine = (api.DEPLOYMENTS, "vln"), (api.STATEFUL_SETS, "engine")
    before = key_hash(world, *vln), key_hash(world, *engine)
    world.use_key(bytes(32))
    world.keys()
    world.look()
    assert key_hash(world, *vln) != before[0]
    assert key_hash(world, *engine) == before[1], "an engine's turn is not skipped"
    world.upgrade()
    world.look()
    image = world.live(api.DEPLOYMENTS, "m-vln")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == samples.SETTINGS.vln_image, "the same keys: it waits for its turn"


def test_one_that_was_not_ready_is_not_waited_for() -> None:
    world = two_models()
    for place in [place for place in world.kube.objects if place[0] == "pods" and place[2].startswith("m-")]:
        world.kube.lose(api.PODS, *place[1:])
    world.look(Key("robots", "m"))
    world.upgrade()
    world.look(Key("robots", "second"))
    world.look(Key("robots", "m"))
    world.look(Key("robots", "second"))
    assert (image(world, "m"), image(world, "second")) == ("2", "2")


def test_one_that_never_becomes_ready_holds_up_the_others_no_longer_than_its_start_up_may_take() -> None:
    from tests.support.virtual_time import run

    world = two_models()
    world.upgrade()

    async def scenario() -> None:
        await asyncio.sleep(time.monotonic())  # what is expected is so by this clock
        await world.passes(Key("robots", "second"))
        await world.passes(Key("robots", "m"))
        await world.passes(Key("robots", "second"))
        assert image(world, "second") == "1"
        again = await world.passes(Key("robots", "m"))
        await asyncio.sleep(200)  # 120 s of start-up, 30 s of grace
        assert again is not None and again < 151
        await world.passes(Key("robots", "m"))
        await world.passes(Key("robots", "second"))

    run(scenario())
    assert image(world, "second") == "2"
    assert [thing["reason"] for place, thing in world.kube.objects.items() if place[0] == "events"].count(
        "UpgradeNotReady"
    ) == 1


@pytest.mark.parametrize("trouble", ["refused", "fails", "spec"])
def test_one_that_cannot_be_rolled_out_holds_up_no_other(trouble: str) -> None:
    world = two_models()
    world.upgrade()
    for name in reversed(TWO):
        world.reconciler.leave(Key("robots", name))  # each was looked at
    world.rollouts.may_begin(Key("robots", "m"), ("2026-01-01T00:00:00Z", "uid-of-m"), 0)  # it waits for its turn
    if trouble == "spec":
        world.live(api.VISION_MODELS, "m")["spec"]["replicas"] = "many"
        world.touch(api.VISION_MODELS, "m")
    else:
        error = ApiError(403, "the policy says no") if trouble == "refused" else ApiError(500, "webhook")
        world.kube.refuse["StatefulSet"] = error
    world.look(Key("robots", "m"))
    world.kube.refuse.clear()
    assert image(world, "m") == "1"
    world.look(Key("robots", "second"))
    assert image(world, "second") == "2"


def test_an_upgrade_goes_on_in_the_next_process_where_the_former_left_it() -> None:
    world = two_models()
    world.upgrade()
    world.look(Key("robots", "m"))
    other = _over(world)
    other.settings = world.settings
    other.keys()
    for name in TWO:
        other.rollouts.expect(Key("robots", name), time.monotonic())
    for name in reversed(TWO):
        other.look(Key("robots", name))
    other.look(Key("robots", "second"))
    assert image(other, "second") == "1", "the first one is not Ready again yet"
    other.make_ready("m")
    other.look(Key("robots", "m"))
    other.look(Key("robots", "second"))
    assert image(other, "second") == "2"


@pytest.mark.parametrize("spec", [{"replicas": 0}, {"paused": True}])
def test_a_model_without_replicas_and_a_paused_one_never_queue(spec: Object) -> None:
    world = two_models()
    world.edit("second", **spec)
    world.look(Key("robots", "second"))
    world.upgrade()
    world.look(Key("robots", "second"))
    world.look(Key("robots", "m"))
    assert image(world, "second") == ("1" if spec.get("paused") else "2")
    assert world.rollouts.next() == []


def test_a_younger_model_does_not_overtake_one_whose_keys_are_not_written_yet() -> None:
    world = _over(two_models())
    world.upgrade()
    for name in TWO:
        world.rollouts.expect(Key("robots", name), time.monotonic())
    world.look(Key("robots", "m"))
    assert world.says("UpToDate") == ("False", "RollingOut"), "it waits for its keys"
    world.keys()
    world.look(Key("robots", "second"))
    assert image(world, "second") == "1" and world.says("UpToDate", "second") == ("False", "UpgradeQueued")
    world.look(Key("robots", "m"))
    assert (image(world, "m"), image(world, "second")) == ("2", "1")
