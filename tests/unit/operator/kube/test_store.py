"""The store: what came in whatever order, the newest is known, and what is gone stays gone."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Index, Store
from qwen3vl_operator.kube.trim import trim

COLOUR = Index("colour", (api.SERVICES,), lambda thing: [(thing["metadata"].get("labels") or {}).get("colour")])


def service(name: str = "s", *, version: int = 1, uid: str = "u", **labels: str) -> Object:
    metadata = {"name": name, "namespace": "a", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}}


def version(store: Store, name: str = "s") -> int | None:
    found = store.get(api.SERVICES, "a", name)
    return None if found is None else int(found["metadata"]["resourceVersion"])


def test_the_higher_version_wins_and_the_same_one_is_no_news() -> None:
    store = Store()
    assert store.put(api.SERVICES, service(version=5)) is not None
    assert store.put(api.SERVICES, service(version=4)) is None
    assert store.put(api.SERVICES, service(version=5)) is None
    assert store.put(api.SERVICES, service(version=10)) is not None
    assert version(store) == 10, "versions are numbers, not text: 10 is newer than 5"


def test_a_late_message_brings_nothing_back() -> None:
    store = Store()
    store.put(api.SERVICES, service(version=1))
    assert store.remove(api.SERVICES, service(version=7)) is not None
    assert store.put(api.SERVICES, service(version=6)) is None
    assert store.replace(api.SERVICES, "a", [service(version=5)], "5") == []
    assert version(store) is None
    assert store.put(api.SERVICES, service(version=8, uid="another")) is not None


def test_an_object_that_lost_its_label_and_has_it_again_is_known() -> None:
    """A watch with a label selector says DELETED when the label goes."""
    store = Store()
    store.put(api.SERVICES, service(version=1))
    store.remove(api.SERVICES, service(version=3))
    assert store.put(api.SERVICES, service(version=3), live=True) is not None, "a GET says what is there now"
    store.remove(api.SERVICES, service(version=4))
    assert store.put(api.SERVICES, service(version=5), live=True) is not None, "we gave it back"
    assert store.remove(api.SERVICES, service(version=4)) is None, "the watch is late"
    assert version(store) == 5


def test_a_list_removes_only_what_is_not_newer_than_it() -> None:
    store = Store()
    store.put(api.SERVICES, service("old", version=3, uid="1"))
    store.put(api.SERVICES, service("new", version=9, uid="2"))
    changes = store.replace(api.SERVICES, "a", [service("listed", version=4, uid="3")], "5")
    assert {(change.old is None, change.new is None) for change in changes} == {(True, False), (False, True)}
    assert (version(store, "old"), version(store, "new"), version(store, "listed")) == (None, 9, 4)


def test_an_object_of_another_uid_takes_the_name_over() -> None:
    store = Store([COLOUR])
    store.put(api.SERVICES, service(version=1, uid="1", colour="red"))
    store.put(api.SERVICES, service(version=2, uid="2", colour="blue"))
    assert store.find("colour", "red") == []
    assert store.remove(api.SERVICES, service(version=3, uid="1")) is None
    assert version(store) == 2


STEPS = st.lists(
    st.tuples(st.sampled_from("pdl"), st.sampled_from("xyz"), st.integers(1, 30), st.sampled_from(["red", "blue"]))
)


@given(steps=STEPS)
def test_an_index_finds_exactly_what_a_look_at_everything_finds(steps: list[tuple[str, str, int, str]]) -> None:
    store = Store([COLOUR])
    for action, name, number, colour in steps:
        thing = service(name, version=number, uid=f"uid-of-{name}", colour=colour)
        if action == "p":
            store.put(api.SERVICES, thing)
        elif action == "d":
            store.remove(api.SERVICES, thing)
        else:
            store.replace(api.SERVICES, "a", [thing], str(number))
        for wanted in ("red", "blue"):
            indexed = {one["metadata"]["name"] for one in store.find("colour", wanted)}
            looked = {
                one["metadata"]["name"]
                for one in store.all(api.SERVICES, "a")
                if one["metadata"]["labels"]["colour"] == wanted
            }
            assert indexed == looked


@given(seed=st.integers(0, 1000))
def test_messages_in_any_order_end_at_the_same(seed: int) -> None:
    """The life of one object, told by a watch and by LISTs that overtake one another."""
    chance = random.Random(seed)
    told: list[Any] = [("put", service(version=number)) for number in range(1, 6)]
    told += [("list", number) for number in (2, 4)]
    told.append(("gone", service(version=6)))
    chance.shuffle(told)
    store = Store()
    for action, what in told:
        if action == "put":
            store.put(api.SERVICES, what)
        elif action == "gone":
            store.remove(api.SERVICES, what)
        else:
            store.replace(api.SERVICES, "a", [service(version=what)], str(what))
    assert version(store) is None


def test_what_is_kept_of_a_pod_is_what_passes_read() -> None:
    pod = {
        "metadata": {
            "name": "p",
            "namespace": "a",
            "uid": "u",
            "resourceVersion": "1",
            "managedFields": [{}],
            "annotations": {"kubectl": "long", "qwen3vl.io/x": "kept"},
        },
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "args": ["secret"], "startupProbe": {"periodSeconds": 1}}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "w"}}, {"name": "t", "emptyDir": {}}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{"name": "c", "imageID": "x"}]},
    }
    assert trim(api.PODS, pod) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "a",
            "uid": "u",
            "resourceVersion": "1",
            "annotations": {"qwen3vl.io/x": "kept"},
        },
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "startupProbe": {"periodSeconds": 1}}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "w"}}],
        },
        "status": {"phase": "Running", "containerStatuses": [{"name": "c"}]},
    }


@pytest.mark.parametrize("resource", [api.SERVICES, api.VISION_MODELS])
def test_equal_strings_of_two_objects_are_one(resource: api.Resource) -> None:
    # Built at run time: literals would be shared anyway.
    one, two = (trim(resource, service(uid="".join(["long", "-uid"]))) for _ in range(2))
    assert one["metadata"]["uid"] is two["metadata"]["uid"]
