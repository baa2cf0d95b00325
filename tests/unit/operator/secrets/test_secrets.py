"""The lives of Secrets, against a dictionary of objects: made, put back, adopted, never shared and never lost."""

import asyncio
import base64
import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.kube.workers import working

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.queue import Queue
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.secrets import model_keys, robot_keys
from qwen3vl_operator.secrets.internal import InternalSecret, InternalSecretError, internal_key
from qwen3vl_operator.secrets.keeper import Keeper, decoded, keys_of
from qwen3vl_operator.secrets.user_keys import UserKeys, user_keys_key

T = TypeVar("T")
RELEASE = "serving"
WALKING = samples.SIMULATOR | {"navigation": {}}


def do(work: Awaitable[T]) -> T:
    async def whole() -> T:
        return await work

    return asyncio.run(whole())


def held(kube: FakeKube, namespace: str, name: str) -> dict[str, str]:
    return decoded(kube.objects["secrets", namespace, name])


def internal(kube: FakeKube, manager: str = "one") -> InternalSecret:
    return InternalSecret(kube, RELEASE, manager)


class Late(FakeKube):
    """Says that nothing is there the first time."""

    first = True

    async def get(self, resource: api.Resource, namespace: str, name: str) -> api.Object | None:
        found = await super().get(resource, namespace, name)
        if self.first:
            self.first = False
            return None
        return found


class World:
    def __init__(self, *models: dict[str, Any]) -> None:
        self.kube, self.store, self.lists = FakeKube(), Store(), 1
        self.notified: list[Key] = []
        for model in models:
            self.kube.put(api.VISION_MODELS, model)
        self.internal = internal(self.kube)
        self.internal.value = samples.INTERNAL_SECRET
        self.keeper = Keeper(self.kube, self.store, self.internal, lambda _: self.lists, self._notify)

    def _notify(self, key: Key, after: float) -> None:
        self.notified.append(key)

    def do_apply(self, place: tuple[str, str, str]) -> None:
        """Somebody else applies the same Secret."""
        live = self.kube.objects[place]
        same = {part: live[part] for part in ("apiVersion", "kind", "data")}
        metadata = {"name": place[2], "namespace": place[1]}
        do(self.kube.apply(api.SECRETS, same | {"metadata": metadata}, manager="kubectl"))

    def look(self) -> None:
        self.kube.fill(self.store)
        for key in keys_of("robots"):
            do(self.keeper.reconcile(key))


def test_the_internal_secret_is_made_once_without_an_owner_and_never_written_again() -> None:
    kube = FakeKube()
    one = internal(kube)
    do(one.reconcile(internal_key(RELEASE)))
    assert kube.writes == ["apply Secret qwen3vl-internal"]
    assert one.value is not None and len(one.value) == 32
    assert "ownerReferences" not in kube.objects["secrets", RELEASE, "qwen3vl-internal"]["metadata"]
    do(one.reconcile(internal_key(RELEASE)))
    again = internal(kube, "another process")
    do(again.reconcile(internal_key(RELEASE)))
    assert (again.value, len(kube.writes)) == (one.value, 1)


def test_deleted_by_hand_it_is_put_back_with_the_same_bytes() -> None:
    kube = FakeKube()
    one = internal(kube)
    do(one.reconcile(internal_key(RELEASE)))
    before = one.value
    kube.lose(api.SECRETS, RELEASE, "qwen3vl-internal")
    do(one.reconcile(internal_key(RELEASE)))
    other = internal(kube, "two")
    do(other.reconcile(internal_key(RELEASE)))
    assert one.value == other.value == before


def test_of_two_operators_that_make_it_at_once_one_takes_the_others() -> None:
    kube = Late()
    kube.first = False
    one = internal(kube, "one")
    do(one.reconcile(internal_key(RELEASE)))
    kube.first = True
    two = internal(kube, "two")
    do(two.reconcile(internal_key(RELEASE)))
    assert two.value == one.value


def test_something_else_in_it_is_an_error_that_says_what_to_do_and_is_overwritten_by_who_knows_better() -> None:
    kube = FakeKube()
    thing = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "qwen3vl-internal", "namespace": RELEASE}}
    kube.put(api.SECRETS, {**thing, "data": {"key": "c2hvcnQ="}})
    with pytest.raises(InternalSecretError, match="restore it, or delete it"):
        do(internal(kube).reconcile(internal_key(RELEASE)))
    knows = internal(kube)
    knows.value = samples.INTERNAL_SECRET
    do(knows.reconcile(internal_key(RELEASE)))
    data = kube.objects["secrets", RELEASE, "qwen3vl-internal"]["data"]
    assert base64.b64decode(data["key"]) == samples.INTERNAL_SECRET


def test_the_owner_that_the_first_version_gave_it_is_taken_off_and_the_bytes_stay() -> None:
    kube = FakeKube()
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "qwen3vl-operator", "uid": "d"}
    metadata = {"name": "qwen3vl-internal", "namespace": RELEASE, "ownerReferences": [owner]}
    data = {"key": base64.b64encode(samples.INTERNAL_SECRET).decode()}
    kube.put(api.SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    one = internal(kube)
    do(one.reconcile(internal_key(RELEASE)))
    live = kube.objects["secrets", RELEASE, "qwen3vl-internal"]
    assert "ownerReferences" not in live["metadata"]
    assert (one.value, live["data"]) == (samples.INTERNAL_SECRET, data)


def test_a_restored_key_is_taken_over() -> None:
    kube = FakeKube()
    one = internal(kube)
    do(one.reconcile(internal_key(RELEASE)))
    kube.objects["secrets", RELEASE, "qwen3vl-internal"]["data"]["key"] = base64.b64encode(bytes(32)).decode()
    do(one.reconcile(internal_key(RELEASE)))
    assert one.value == bytes(32)


def test_each_model_has_its_entries_in_the_secret_of_its_shard() -> None:
    world = World(samples.body("plain"), samples.body("walker", WALKING))
    world.look()
    for name, purposes in (("plain", ("engine",)), ("walker", model_keys.PURPOSES)):
        entries = held(world.kube, "robots", model_keys.secret_name("robots", name))
        mine = {entry: value for entry, value in entries.items() if entry.startswith(f"{name}.")}
        expected = {f"{name}.{one}": derive(samples.INTERNAL_SECRET, one, "robots", name) for one in purposes}
        assert mine == expected
    assert len([write for write in world.kube.writes if "model-keys" in write]) <= 2, "only what is needed is made"
    world.kube.writes.clear()
    world.look()
    assert world.kube.writes == []


def test_an_entry_goes_no_earlier_than_one_full_list_after_its_model() -> None:
    world = World(samples.body("m", WALKING))
    world.look()
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    for _ in range(3):
        world.look()
    name = model_keys.secret_name("robots", "m")
    assert len(held(world.kube, "robots", name)) == 3
    assert held(world.kube, "robots", names.ROBOT_KEYS)
    world.lists += 1
    world.look()
    assert held(world.kube, "robots", name) == {}
    assert held(world.kube, "robots", names.ROBOT_KEYS) == {}


def test_whoever_waits_is_told_once_its_keys_are_there_or_cannot_be() -> None:
    world = World(samples.body("m"))
    world.kube.fill(world.store)
    key, model = model_keys.shard_key("robots", "m"), Key("robots", "m")
    world.keeper.wait(key, model)
    assert world.notified == [key]
    world.kube.refuse["Secret"] = ApiError(500, "the webhook does not answer")
    for _ in range(2):
        with pytest.raises(ApiError):
            do(world.keeper.reconcile(key))
    assert world.notified == [key, model], "told when it fails, and not again for the same"
    assert str(world.keeper.error(key)) == "the webhook does not answer"
    world.kube.refuse.clear()
    do(world.keeper.reconcile(key))
    assert world.notified == [key, model, model]
    assert world.keeper.error(key) is None
    assert "m.engine" in world.keeper.entries(key)


def test_many_who_wait_for_a_secret_that_cannot_be_written_do_not_undo_its_back_off() -> None:
    world = World(samples.body("m"))
    world.kube.fill(world.store)
    key, tries = model_keys.shard_key("robots", "m"), []
    queue = Queue[Key](random=lambda: 0.0)
    keeper = Keeper(world.kube, world.store, world.internal, lambda _: 1, queue.add)
    world.kube.refuse["Secret"] = ApiError(500, "the webhook does not answer")

    async def handle(due: Key) -> float | None:
        if due == key:
            tries.append(asyncio.get_running_loop().time())
            return await keeper.reconcile(key)
        return None

    async def scenario() -> None:
        async with working(queue, handle):
            for number in range(600):  # a model each 0.1 s
                keeper.wait(key, Key("robots", f"m{number}"))
                await asyncio.sleep(0.1)
            assert tries[0] == 0, "a Secret that has not failed is tried at once"
            assert len(tries) <= 15
            world.kube.refuse.clear()
            await asyncio.sleep(6)
            assert keeper.error(key) is None

    run(scenario())


def test_a_secret_deleted_or_emptied_by_hand_is_put_back() -> None:
    world = World(samples.body("m", WALKING))
    world.look()
    places = [place for place in world.kube.objects if place[0] == "secrets"]
    before = {place: dict(world.kube.objects[place]["data"]) for place in places}
    for place in places:
        world.kube.lose(api.SECRETS, *place[1:])
    world.look()
    assert {place: world.kube.objects[place]["data"] for place in places} == before
    for place in places:
        world.kube.objects[place]["data"] = {}
    world.look()
    assert {place: world.kube.objects[place]["data"] for place in places} == before


def test_robots_keys_of_users_are_never_touched() -> None:
    world = World(samples.body("m", WALKING))
    metadata = {"name": names.ROBOT_KEYS, "namespace": "robots"}
    data = {"m.go2-01": base64.b64encode(b"mine").decode()}
    world.kube.put(api.SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == {"m.go2-01": "mine"}, "the model has a key: none is made"
    del world.kube.objects["secrets", "robots", names.ROBOT_KEYS]["data"]["m.go2-01"]
    world.look()
    assert set(held(world.kube, "robots", names.ROBOT_KEYS)) == {"m.default"}
    changed = world.kube.objects["secrets", "robots", names.ROBOT_KEYS]
    changed["data"]["m.default"] = base64.b64encode(b"changed by hand").decode()
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == {"m.default": "changed by hand"}
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.look()
    world.lists += 1
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == {"m.default": "changed by hand"}


def _with_a_users_entry() -> World:
    """A model that walks, and a robot's key of its user's own beside the one that was made."""
    world = World(samples.body("m", WALKING))
    world.look()
    live = world.kube.objects["secrets", "robots", names.ROBOT_KEYS]
    live["data"]["m.go2-01"] = base64.b64encode(b"mine").decode()
    world.look()
    return world


def test_users_entries_of_a_secret_deleted_by_hand_are_put_back_and_stay_theirs() -> None:
    world = _with_a_users_entry()
    before = held(world.kube, "robots", names.ROBOT_KEYS)
    assert set(before) == {"m.default", "m.go2-01"}
    world.kube.lose(api.SECRETS, "robots", names.ROBOT_KEYS)
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == before
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.look()
    world.lists += 1
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == {"m.go2-01": "mine"}, (
        "an apply of ours takes nothing of theirs"
    )


def test_users_entries_of_a_namespace_that_went_do_not_come_back_in_one_of_the_same_name() -> None:
    world = _with_a_users_entry()
    world.kube.lose(api.SECRETS, "robots", names.ROBOT_KEYS)
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.kube.put(api.VISION_MODELS, samples.body("m", WALKING, uid="another"))
    world.look()
    assert set(held(world.kube, "robots", names.ROBOT_KEYS)) == {"m.default"}


def test_a_secret_deleted_by_hand_while_an_entry_of_ours_was_leaving_is_put_back_whole() -> None:
    world = World(samples.body("m", WALKING), samples.body("n", WALKING))
    world.look()
    before = held(world.kube, "robots", names.ROBOT_KEYS)
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.look()
    world.kube.lose(api.SECRETS, "robots", names.ROBOT_KEYS)
    world.look()
    assert held(world.kube, "robots", names.ROBOT_KEYS) == before, "m's goes after the next full LIST"
    world.lists += 1
    world.look()
    assert set(held(world.kube, "robots", names.ROBOT_KEYS)) == {"n.default"}


def test_an_entry_that_others_wrote_too_goes_with_its_model() -> None:
    """As after a restore by kubectl, or carried over at an upgrade: then an apply alone removes nothing."""
    world = World(samples.body("m", WALKING))
    world.look()
    for place in [place for place in world.kube.objects if place[0] == "secrets"]:
        world.do_apply(place)
    world.kube.lose(api.VISION_MODELS, "robots", "m")
    world.look()
    world.lists += 1
    world.look()
    assert [held(world.kube, *place[1:]) for place in world.kube.objects if place[0] == "secrets"] == [{}, {}]
    world.kube.writes.clear()
    world.look()
    assert world.kube.writes == []


@pytest.mark.parametrize("navigation", [{"auth": "None"}, {"keysSecret": "mine"}])
def test_no_robots_key_is_made_where_none_is_asked_for(navigation: dict[str, str]) -> None:
    world = World(samples.body("m", samples.SIMULATOR | {"navigation": navigation}))
    world.look()
    assert ("secrets", "robots", names.ROBOT_KEYS) not in world.kube.objects


def test_users_keys_are_made_when_absent_adopted_when_there_and_put_back_as_they_were() -> None:
    kube = FakeKube()
    one = internal(kube)
    one.value = samples.INTERNAL_SECRET
    keys, key = UserKeys(kube, one), user_keys_key(RELEASE, "qwen3vl-keys")
    do(keys.reconcile(key))
    made = held(kube, RELEASE, "qwen3vl-keys")
    assert set(made) == {"default"} and made["default"].startswith("sk-")
    kube.objects["secrets", RELEASE, "qwen3vl-keys"]["data"]["team"] = base64.b64encode(b"sk-team").decode()
    kube.writes.clear()
    do(keys.reconcile(key))
    assert kube.writes == []
    kube.lose(api.SECRETS, RELEASE, "qwen3vl-keys")
    do(keys.reconcile(key))
    assert held(kube, RELEASE, "qwen3vl-keys") == made | {"team": "sk-team"}
    kube.lose(api.SECRETS, RELEASE, "qwen3vl-keys")
    another = UserKeys(kube, one)
    do(another.reconcile(key))
    assert held(kube, RELEASE, "qwen3vl-keys") == made, "another process makes the same first key"


def test_a_secret_that_a_user_makes_at_the_same_moment_keeps_the_users_keys() -> None:
    kube = Late()
    theirs = {"default": base64.b64encode(b"sk-mine").decode()}
    metadata = {"name": "qwen3vl-keys", "namespace": RELEASE}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": theirs}
    do(kube.apply(api.SECRETS, body, manager="kubectl"))
    one = internal(kube)
    one.value = samples.INTERNAL_SECRET
    keys, key = UserKeys(kube, one), user_keys_key(RELEASE, "qwen3vl-keys")
    do(keys.reconcile(key))
    assert held(kube, RELEASE, "qwen3vl-keys") == {"default": "sk-mine"}
    kube.lose(api.SECRETS, RELEASE, "qwen3vl-keys")
    do(keys.reconcile(key))
    assert held(kube, RELEASE, "qwen3vl-keys") == {"default": "sk-mine"}, "adopted: it is put back as it was"


def test_no_key_is_ever_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = World(samples.body("m", WALKING))
    world.look()
    keys = UserKeys(world.kube, world.internal)
    do(keys.reconcile(user_keys_key(RELEASE, "qwen3vl-keys")))
    secrets = [
        value
        for place in world.kube.objects
        if place[0] == "secrets"
        for value in held(world.kube, *place[1:]).values()
    ]
    assert len(secrets) >= 5
    shown = "\n".join([caplog.text, repr(world.keeper), repr(keys), repr(world.internal)])
    assert not [secret for secret in secrets if secret in shown]
    assert repr(samples.INTERNAL_SECRET) not in shown


def test_no_error_quotes_a_key() -> None:
    world = World(samples.body("m"))
    world.kube.fill(world.store)
    key = model_keys.shard_key("robots", "m")
    value = derive(samples.INTERNAL_SECRET, "engine", "robots", "m")
    encoded = base64.b64encode(value.encode()).decode()
    world.kube.refuse["Secret"] = ApiError(422, f'data[m.engine]: Invalid value: "{encoded}", which is {value}')
    with pytest.raises(ApiError) as raised:
        do(world.keeper.reconcile(key))
    assert str(raised.value) == str(world.keeper.error(key)) == 'data[m.engine]: Invalid value: "***", which is ***'
    assert raised.value.status == 422


NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


@given(one=NAME, two=NAME, first=st.sampled_from(names.CHILD_WORDS), second=st.sampled_from(names.CHILD_WORDS))
def test_no_child_has_the_name_of_another_models_child(one: str, two: str, first: str, second: str) -> None:
    same = names.child(one, first) == names.child(two, second)
    assert same == ((one, first) == (two, second))


@given(one=NAME, two=NAME)
def test_no_entry_of_a_secret_is_that_of_another_model(one: str, two: str) -> None:
    mine = {model_keys.entry(one, purpose) for purpose in model_keys.PURPOSES} | {robot_keys.default_entry(one)}
    theirs = {model_keys.entry(two, purpose) for purpose in model_keys.PURPOSES} | {robot_keys.default_entry(two)}
    assert mine.isdisjoint(theirs) or one == two
    assert robot_keys.has_key(one, [robot_keys.default_entry(two)]) == (one == two)


def test_a_word_outside_the_closed_list_makes_no_name() -> None:
    with pytest.raises(ValueError, match="is no word for a child"):
        names.child("m", "keys")
    assert not [word for word in names.CHILD_WORDS if "-" in word]


def test_users_own_entries_come_back_with_a_deleted_secret_and_can_be_taken_out_again() -> None:
    world = World(samples.body("m", WALKING), samples.body("n", WALKING))
    kept = world.kube.put(api.SECRETS, secret_of("qwen3vl-robot-keys", {"m.alice": "hers"}))
    world.look()
    before = held(world.kube, "robots", "qwen3vl-robot-keys")
    assert set(before) == {"m.alice", "n.default"}
    del world.kube.objects["secrets", "robots", kept["metadata"]["name"]]
    world.look()
    assert held(world.kube, "robots", "qwen3vl-robot-keys") == before


def test_nothing_is_put_back_into_a_namespace_that_was_refused_meanwhile() -> None:
    """It may be another one of the same name."""
    world = World(samples.body("m", WALKING))
    world.kube.put(api.SECRETS, secret_of("qwen3vl-robot-keys", {"m.alice": "hers"}))
    world.look()
    world.keeper.forget("robots")
    del world.kube.objects["secrets", "robots", "qwen3vl-robot-keys"]
    world.look()
    assert set(held(world.kube, "robots", "qwen3vl-robot-keys")) == {"m.default"}


@pytest.mark.parametrize("spec", ["text", [1], {"navigation": "yes"}, {"navigation": ["yes"]}])
def test_a_spec_that_nobody_can_parse_keeps_no_other_model_from_its_keys(spec: Any) -> None:
    world = World(samples.body("odd") | {"spec": spec}, samples.body("m", WALKING))
    world.look()
    assert "m.default" in held(world.kube, "robots", "qwen3vl-robot-keys")
    assert "m.engine" in held(world.kube, "robots", model_keys.secret_name("robots", "m"))


def test_why_the_internal_secret_is_not_there_is_known_until_it_is() -> None:
    kube = FakeKube()
    kube.put(api.SECRETS, secret_of(names.INTERNAL_SECRET, {"key": "short"}, RELEASE))
    one = internal(kube)
    with pytest.raises(InternalSecretError):
        do(one.reconcile(internal_key(RELEASE)))
    assert "holds no 32 bytes" in one.problem
    del kube.objects["secrets", RELEASE, names.INTERNAL_SECRET]
    do(one.reconcile(internal_key(RELEASE)))
    assert one.problem == ""


def secret_of(name: str, entries: dict[str, str], namespace: str = "robots") -> dict[str, Any]:
    """A Secret as people make it."""
    data = {entry: base64.b64encode(value.encode()).decode() for entry, value in entries.items()}
    return {"metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "data": data}
