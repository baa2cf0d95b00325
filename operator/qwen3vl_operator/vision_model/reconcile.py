"""One level-triggered pass over one VisionModel, the only place that orders effects: observe, plan, carry out, tell.

What it observes is in the store; it calls the API only to change something. The status is written in every pass, also
in one that failed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import ValidationError

from qwen3vl_operator import indexes, names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.secrets import model_keys, robot_keys
from qwen3vl_operator.secrets.keeper import Keeper
from qwen3vl_operator.vision_model.carry_out import Hands, resource_of
from qwen3vl_operator.vision_model.desired import Settings, desired
from qwen3vl_operator.vision_model.observe import EVENTS_AFTER_SECONDS, Namespaces, Observer
from qwen3vl_operator.vision_model.observed import Outcome, Result
from qwen3vl_operator.vision_model.plan import MissingKeys, Situation, plan, unwanted
from qwen3vl_operator.vision_model.rollouts import Rollouts
from qwen3vl_operator.vision_model.spec import VisionModel, parse
from qwen3vl_operator.vision_model.status import failed_pass, invalid, status
from qwen3vl_operator.vision_model.tell import Voice
from qwen3vl_operator.vision_model.turns import Turns

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 600.0
"""A watch may miss a deletion: every model is looked at again, even when nothing seems to happen."""
LOOK_SOON_SECONDS = 20.0
"""While something is wrong that no watched object tells."""
LONGEST_RETRY_SECONDS = 60.0
PASS_SECONDS = 60.0
UNLISTED_SECONDS = 2.0
"""While it will be known in a moment what is in another namespace: no object of this one tells when it is."""
LOOKED_AT_SOON = {Outcome.TAKEN, Outcome.REFUSED, Outcome.QUEUED, Outcome.WAITING}


class VlnApis(Protocol):
    """Whoever speaks to the models' VLN APIs; not here."""

    def serve(self, namespace: str, model: str) -> None:
        """The model has a VLN API, or wants one."""

    def end(self, namespace: str, model: str) -> None:
        """It has none any more."""


@dataclass
class Reconciler:
    """Reconciles models by one store and one API.

    Attributes:
        settings: the installation's; without the internal secret no key is known and nothing is made.
        now: the present time in RFC 3339, for transition times.
        vln_apis: told which models have a VLN API.
        notify: told keys whose turn it may be now.
        jitter: 0 to 1, spreads the periodic looks.
    """

    kube: Kube
    store: Store
    settings: Callable[[], Settings]
    namespaces: Namespaces
    keeper: Keeper
    rollouts: Rollouts
    reader: EventReader[Key]
    writer: EventWriter
    now: Callable[[], str]
    vln_apis: VlnApis
    notify: Callable[[Key], None]
    jitter: Callable[[], float] = field(default=lambda: 0.5)
    look_again_seconds: float = LOOK_AGAIN_SECONDS

    def __post_init__(self) -> None:
        suspect = self.namespaces.suspect
        self._observer = Observer(self.store, self.namespaces, self.reader)
        self._hands = Hands(self.kube, self.store, suspect)
        self._voice = Voice(self.kube, self.store, self.writer, suspect)
        self._turns = Turns(self.store, self.rollouts, self.writer, self.now, self.notify)
        self._failures: dict[Key, int] = {}
        self._without_keys: set[Key] = set()
        self._told: set[Key] = set()

    async def reconcile(self, key: Key) -> float | None:
        """Bring the cluster closer to what the model wants; seconds until the next look, None when it is gone."""
        body = self.store.get(api.VISION_MODELS, key.namespace, key.name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self._follow(key, is_wanted=False)
            self.leave(key)
            return None
        try:
            async with asyncio.timeout(PASS_SECONDS):
                return await self._pass(key, body)
        except TimeoutError:
            words = f"looking after this model took longer than {PASS_SECONDS:g} s and was broken off"
            await self._broken(key, body, words)
            return self._retry_seconds(key)
        except ApiError:
            raise
        except Exception as error:
            await self._broken(key, body, f"the operator made a mistake ({type(error).__name__}); its log says more")
            raise
        finally:
            # Of one whose keys are not written yet nobody knows whether it is to be rolled out.
            if key not in self._without_keys:
                self._turns.looked_at(key)

    async def _broken(self, key: Key, body: Object, words: str) -> None:
        self._turns.failed(key)
        await self._voice.tell(body, failed_pass(body, words, now=self.now()))

    def leave(self, key: Key) -> None:
        """The model is gone, or cannot be looked at for now: no other waits for its rollout."""
        self._failures.pop(key, None)
        self._without_keys.discard(key)
        self._told.discard(key)
        self._observer.forget(key)
        self._turns.gone(key)

    async def _pass(self, key: Key, body: Object) -> float:
        try:
            model = parse(body)
        except ValidationError as error:
            self._turns.failed(key)
            self._follow(key, is_wanted=False)
            await self._voice.tell(body, invalid(body, readable(error), now=self.now()))
            return self._later_seconds()
        settings = self.settings()
        if not settings.internal_secret:
            words = f"Secret {names.INTERNAL_SECRET}, which all keys are made from, could not be read or made yet"
            if settings.internal_secret_problem:
                words += f": {settings.internal_secret_problem}"
            await self._broken(key, body, words)
            return LOOK_SOON_SECONDS
        navigation = model.spec.navigation
        self._follow(key, is_wanted=navigation is not None and navigation.replicas > 0)
        seen = self._observer.look(model, settings.internal_secret)
        owns_served_name = self._observer.owns_served_name(model, seen)
        results = await self._converge(key, model, desired(model, settings, owns_served_name=owns_served_name))
        # What was applied is in the store by now.
        seen = replace(self._observer.look(model, settings.internal_secret), results=tuple(results))
        read = self._observer.with_events(key, model, seen, self.now())
        previous = body.get("status") or {}
        told = status(model, read.seen, gateway_url=settings.gateway_url, previous=previous, now=self.now())
        at_rest = all(result.outcome is Outcome.UNCHANGED for result in results)
        pending = bool(seen.unlisted) and self.namespaces.are_pending()
        is_current = at_rest and previous.get("observedGeneration") == model.generation
        if (read.unread or pending) and is_current and key not in self._told:
            # A new process: what the status says may come from namespaces, or of those that wait from Events, that it
            # has not read yet. What it has told once itself is never held back: where many wait, reading takes minutes.
            return UNLISTED_SECONDS if pending else EVENTS_AFTER_SECONDS
        await self._voice.tell(body, told)
        self._told.add(key)
        turn = await self._turns.settle(key, model, body, seen, told)
        soon = [EVENTS_AFTER_SECONDS] if read.waits else []
        if seen.unlisted:  # one that does not answer may stay so for long
            soon.append(UNLISTED_SECONDS if self.namespaces.are_pending() else LOOK_SOON_SECONDS)
        return min([self._again_seconds(key, results), *soon, *([] if turn is None else [turn])])

    def _follow(self, key: Key, *, is_wanted: bool) -> None:
        """Have the VLN API spoken to while one is wanted, or still there: the robots that it leads can be stopped."""
        found = self.store.get(api.DEPLOYMENTS, key.namespace, names.child(key.name, "vln"))
        is_there = found is not None and bool(self.settings().internal_secret)  # without it nobody has a key there
        follow = self.vln_apis.serve if is_wanted or is_there else self.vln_apis.end
        follow(key.namespace, key.name)

    async def _converge(self, key: Key, model: VisionModel, wanted: list[Object]) -> list[Result]:
        """Apply what differs and prune what is not wanted: a result for each object."""
        live = [self.store.get(resource_of(thing), model.namespace, thing["metadata"]["name"]) for thing in wanted]
        missing = self._missing_keys(key, model)
        steps = plan(model, wanted, live, Situation(missing, lambda: self._turns.may_begin(key, model)))
        waits = any(step.outcome is Outcome.WAITING for step in steps)
        (self._without_keys.add if waits else self._without_keys.discard)(key)
        results, began = [], self.now() if self._turns.was_ready(key) else None
        for step in steps:
            results.append(await self._hands.carry_out(model, step, began if step.paced else None))
        paced = [result for step, result in zip(steps, results, strict=True) if step.paced]
        if any(result.outcome is Outcome.APPLIED for result in paced):
            self._turns.began(key, model)
        elif paced:
            self._turns.failed(key)
        elif not any(step.outcome is Outcome.QUEUED for step in steps):
            self.rollouts.withdrawn(key)
        for thing in unwanted(model, wanted, self.store.find(indexes.OF_MODEL, model.uid)):
            results += await self._hands.delete(model, thing)
        return results

    def _missing_keys(self, key: Key, model: VisionModel) -> dict[str, MissingKeys]:
        """By kind of object, why the keys that it needs are not there; whoever writes them is asked to."""
        internal, missing = self.settings().internal_secret, {}
        navigation = model.spec.navigation is not None
        needed = model_keys.entries(internal, model.namespace, model.name, navigation=navigation)
        shard = model_keys.shard_key(model.namespace, model.name)
        present = self.keeper.entries(shard)
        if any(present.get(name) != value for name, value in needed.items()):
            missing[api.STATEFUL_SETS.kind] = missing[api.DEPLOYMENTS.kind] = self._waits_for(shard, key)
        robots = robot_keys.robot_keys_key(model.namespace)
        body = {"spec": model.spec.model_dump(by_alias=True, include={"navigation"})}
        if robot_keys.wants_default(body) and not robot_keys.has_key(model.name, self.keeper.entries(robots)):
            missing[api.DEPLOYMENTS.kind] = self._waits_for(robots, key)
        return missing

    def _waits_for(self, secret: Key, key: Key) -> MissingKeys:
        self.keeper.wait(secret, key)
        error = self.keeper.error(secret)
        words = f"Secret {secret.name}: {error or 'is being written'}"
        return MissingKeys(words, None if error is None else error.status)

    def _again_seconds(self, key: Key, results: Iterable[Result]) -> float:
        outcomes = {result.outcome for result in results}
        if Outcome.FAILED in outcomes:
            return self._retry_seconds(key)
        self._failures.pop(key, None)
        return LOOK_SOON_SECONDS if outcomes & LOOKED_AT_SOON else self._later_seconds()

    def _retry_seconds(self, key: Key) -> float:
        self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(LONGEST_RETRY_SECONDS, 2.0 ** min(self._failures[key] - 1, 10)))

    def _later_seconds(self) -> float:
        return self.look_again_seconds * (0.8 + 0.4 * self.jitter())
