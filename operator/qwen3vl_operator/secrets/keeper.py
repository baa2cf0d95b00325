"""Reading and writing the Secrets of fixed names: read every 30 s and after each write, and put back when gone.

Each Secret is a key of the queue with one writer. Nothing here is ever logged but names."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object, spec_of
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.secrets import model_keys, robot_keys
from qwen3vl_operator.secrets.internal import InternalSecret
from qwen3vl_operator.secrets.unquoted import unquoted

log = logging.getLogger(__name__)

READ_AGAIN_SECONDS = 30.0
FAILED_SECONDS = 5.0
"""A Secret that failed is not tried sooner for those who wait: however many they are, they do not undo its back-off."""
UNUSED_SECONDS = 600.0
"""A Secret that is neither there nor wanted."""


def decoded(secret: Object | None) -> dict[str, str]:
    """The entries of a Secret as text; what is no text is left out, for none of ours is."""
    result = {}
    for name, value in ((secret or {}).get("data") or {}).items():
        try:
            result[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return result


def encoded(entries: Mapping[str, str]) -> dict[str, str | None]:
    """Entries as a Secret has them."""
    return {entry: base64.b64encode(text.encode()).decode() for entry, text in sorted(entries.items())}


def secret(namespace: str, name: str, entries: Mapping[str, str]) -> Object:
    """A Secret of ours."""
    labels = {names.MANAGED_BY: names.FIELD_MANAGER, names.PART_OF: "qwen3vl"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded(entries)}


@dataclass
class Keeper:
    """Keeps the Secrets of the watched namespaces.

    Attributes:
        lists: how many full LISTs of a namespace there were.
        notify: told the keys that are to be worked on, and in how many seconds: of Secrets that are waited for, and of
            VisionModels that wait for one when something about it is new.
    """

    kube: Kube
    store: Store
    internal: InternalSecret
    lists: Callable[[str], int]
    notify: Callable[[Key, float], None]
    _seen: dict[Key, dict[str, str]] = field(default_factory=dict, repr=False)
    _beside: dict[Key, frozenset[str]] = field(default_factory=dict)
    _errors: dict[Key, ApiError] = field(default_factory=dict)
    _failed_at: dict[Key, float] = field(default_factory=dict)
    _waiting: dict[Key, set[Key]] = field(default_factory=dict)
    _leaving: dict[Key, model_keys.Leaving] = field(default_factory=dict)

    def entries(self, key: Key) -> Mapping[str, str]:
        """What the Secret held when it was last read or written; empty before."""
        return self._seen.get(key, {})

    def error(self, key: Key) -> ApiError | None:
        """Why the last pass over the Secret failed, if it did."""
        return self._errors.get(key)

    def wait(self, key: Key, model: Key) -> None:
        """The model waits for entries of the Secret: have it looked at once there is news."""
        self._waiting.setdefault(key, set()).add(model)
        failed_at = self._failed_at.get(key)
        self.notify(key, 0.0 if failed_at is None else max(0.0, failed_at + FAILED_SECONDS - _clock()))

    def forget(self, namespace: str) -> None:
        """What was in its Secrets is not to be put back: the namespace may be another one of this name next time."""
        for key in [key for key in self._seen if key.namespace == namespace]:
            del self._seen[key]

    async def reconcile(self, key: Key) -> float | None:
        """Read the Secret and write it where it lacks something; seconds until the next look.

        Raises:
            ApiError: it could not be read or written; those who wait are told.
        """
        try:
            present = await self._bring(key)
        except ApiError as error:
            news = str(self._errors.get(key)) != str(error)
            self._errors[key], self._failed_at[key] = error, _clock()
            if news:
                self._tell(key, forget=False)
            raise
        self._failed_at.pop(key, None)
        recovered = self._errors.pop(key, None) is not None
        self._beside[key] = self._models(key)
        if self._seen.get(key) != present or recovered:
            self._seen[key] = present
            self._tell(key, forget=True)
        return READ_AGAIN_SECONDS if present else UNUSED_SECONDS

    def _tell(self, key: Key, *, forget: bool) -> None:
        for model in list(self._waiting.get(key, ())):
            self.notify(model, 0.0)
        if forget:
            self._waiting.pop(key, None)

    async def _bring(self, key: Key) -> dict[str, str]:
        live = await self.kube.get(api.SECRETS, key.namespace, key.name)
        present = decoded(live)
        internal = self.internal.value
        if internal is None:
            return present
        before = self._before(key) if live is None else present
        wanted, leaving = self._wanted(key, internal, before)
        lost = {} if live is not None else _theirs(before, leaving)
        kept = self._leaving.setdefault(key, model_keys.Leaving()).kept(leaving, wanted, self.lists(key.namespace))
        stale = set(leaving) - set(wanted) - kept
        if all(present.get(name) == value for name, value in wanted.items()) and not stale and not lost:
            return present
        whole = wanted | {name: before[name] for name in kept}
        with unquoted(encoded(whole)):
            written = await self.kube.apply(api.SECRETS, secret(key.namespace, key.name, whole))
        log.info("wrote Secret %s/%s: %d entries", key.namespace, key.name, len(whole))
        # An apply removes only what it alone owns, and what is somebody's own must never become ours.
        change = dict.fromkeys(stale.intersection(decoded(written))) | encoded(lost)
        if change:
            with unquoted(change):
                written = await self.kube.patch(api.SECRETS, key.namespace, key.name, {"data": change})
        return decoded(written)

    def _before(self, key: Key) -> Mapping[str, str]:
        """What a Secret of robots' keys held that somebody deleted whole; of the others all is made anew.

        Nothing where no model is left of those that were there with it: then the namespace went and was made again, and
        what opened doors in the former one must not in this one.
        """
        if key.kind != robot_keys.KIND or self._models(key).isdisjoint(self._beside.get(key, ())):
            return {}
        return self.entries(key)

    def _models(self, key: Key) -> frozenset[str]:
        """uids of the models of the Secret's namespace."""
        return frozenset(model["metadata"]["uid"] for model in self.store.all(api.VISION_MODELS, key.namespace))

    def _wanted(self, key: Key, internal: bytes, present: Mapping[str, str]) -> tuple[dict[str, str], Iterable[str]]:
        """The entries that models want, and all that are there of our making."""
        models = list(self.store.all(api.VISION_MODELS, key.namespace))
        if key.kind == robot_keys.KIND:
            wanted = robot_keys.ours(internal, key.namespace, models, present)
            return wanted, robot_keys.left_over(internal, key.namespace, present)
        wanted = {}
        for model in models:
            name = model["metadata"]["name"]
            if model_keys.secret_name(key.namespace, name) == key.name:
                walks = spec_of(model).get("navigation") is not None
                wanted |= model_keys.entries(internal, key.namespace, name, navigation=walks)
        return wanted, [name for name in present if name.rpartition(".")[2] in model_keys.PURPOSES]


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _theirs(entries: Mapping[str, str], ours: Iterable[str]) -> dict[str, str]:
    """Users' own entries: all but those of our making."""
    return {name: value for name, value in entries.items() if name not in set(ours)}


def keys_of(namespace: str) -> list[Key]:
    """The queue's keys of all Secrets of a namespace."""
    return [*model_keys.shard_keys(namespace), robot_keys.robot_keys_key(namespace)]


__all__ = ["Keeper", "decoded", "keys_of", "secret"]
