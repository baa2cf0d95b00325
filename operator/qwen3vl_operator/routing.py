"""Which objects a change of one object concerns: the keys that go on the queue. Pure."""

from collections.abc import Iterator
from typing import Any

from qwen3vl_common.labels import served_name
from qwen3vl_operator import indexes, names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.kube.resources import Object, spec_of
from qwen3vl_operator.kube.store import Change, Store
from qwen3vl_operator.nav_task.status import is_finished
from qwen3vl_operator.secrets.model_keys import shard_key
from qwen3vl_operator.secrets.robot_keys import robot_keys_key


def key_of(thing: Object) -> Key:
    """The key of a VisionModel or NavTask."""
    return Key(thing["metadata"]["namespace"], thing["metadata"]["name"], thing["kind"])


def _walks(model: Object) -> Any:
    return spec_of(model).get("navigation")


def concerned(change: Change, store: Store) -> Iterator[Key]:
    """Whom a change of one object concerns; the store holds it already."""
    thing = change.new or change.old
    if thing is None:
        return
    if change.resource is api.VISION_MODELS:
        yield from _model_changed(change, thing, store)
    elif change.resource is api.NAV_TASKS:
        yield from _task_changed(change, thing, store)
    else:
        for one in (change.old, change.new):
            yield from _owners(one)


def _owners(thing: Object | None) -> Iterator[Key]:
    if thing is None:
        return
    metadata = thing["metadata"]
    owners = [owner["name"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == names.KIND]
    # Both: the label may be what somebody changed, and a retained volume claim has no owner.
    for model in {*owners, (metadata.get("labels") or {}).get(names.MODEL, "")} - {""}:
        yield Key(metadata["namespace"], model)


def _model_changed(change: Change, thing: Object, store: Store) -> Iterator[Key]:
    key = key_of(thing)
    yield key
    if change.old is None or change.new is None or _walks(change.old) != _walks(change.new):
        yield shard_key(key.namespace, key.name)
        yield robot_keys_key(key.namespace)
    if change.old is None or change.new is None or _told(change.old) != _told(change.new):
        for task in store.find(indexes.TASKS_OF_MODEL, (key.namespace, key.name)):
            if not is_finished(task.get("status") or {}):
                yield key_of(task)
    # A served name that came free or was taken concerns the others that want it.
    touched = {served_name(one) for one in (change.old, change.new) if one is not None}
    if change.old is None or change.new is None or _uid(change.old) != _uid(change.new) or len(touched) > 1:
        for name in touched:
            yield from (key_of(other) for other in store.find(indexes.SERVED_NAME, name) if other is not change.new)


def _uid(thing: Object) -> Any:
    """Of an object made again, when nobody saw the end of the one before; it is younger than that was."""
    return thing["metadata"]["uid"]


def _told(model: Object) -> Any:
    """What a NavTask's status says of its model."""
    conditions = (model.get("status") or {}).get("conditions") or []
    ready = [(one["status"], one["reason"], one["message"]) for one in conditions if one["type"] == "Ready"]
    return ready, spec_of(model).get("navigation"), model["metadata"].get("deletionTimestamp")


def _task_changed(change: Change, thing: Object, store: Store) -> Iterator[Key]:
    yield key_of(thing)
    # A robot that came free concerns the others that want it.
    is_another = change.old is not None and change.new is not None and _uid(change.old) != _uid(change.new)
    if change.new is None or is_another or (_finished(change.new) and not _finished(change.old)):
        for other in store.find(indexes.ROBOT, indexes.robot_of_task(thing)):
            if other is not change.new and not _finished(other):
                yield task_key(other["metadata"]["namespace"], other["metadata"]["name"])


def _finished(task: Object | None) -> bool:
    return task is not None and is_finished(task.get("status") or {})
