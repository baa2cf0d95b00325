"""One level-triggered pass over one VisionModel, the only place that orders effects: observe, plan, apply, prune, tell.

What it observes is in the store; it calls the API only to change something. Nothing that goes wrong with one object
keeps it from the others, and the status is written in every pass."""

import asyncio
import datetime
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import ValidationError

from qwen3vl_operator import indexes, names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.compare import foreign_entries
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.kube.resources import Object, Resource, title
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.secrets import model_keys, robot_keys
from qwen3vl_operator.secrets.keeper import Keeper
from qwen3vl_operator.vision_model.desired import Settings, desired
from qwen3vl_operator.vision_model.events_wanted import events_wanted
from qwen3vl_operator.vision_model.observed import Observed, Outcome, Result
from qwen3vl_operator.vision_model.plan import MissingKeys, Situation, Step, is_ours, plan, to_apply, unwanted
from qwen3vl_operator.vision_model.rollouts import Rollouts
from qwen3vl_operator.vision_model.spec import VisionModel, parse
from qwen3vl_operator.vision_model.status import failed_pass, invalid, status
from qwen3vl_operator.vision_model.waiting import waiting_titles

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 600.0
"""A watch may miss a deletion: every model is looked at again, even when nothing seems to happen."""
LOOK_SOON_SECONDS = 20.0
"""While something is wrong that no watched object tells."""
LONGEST_RETRY_SECONDS = 60.0
PASS_SECONDS = 60.0
EVENTS_AFTER_SECONDS = 10.0
"""An object that waits longer is asked for its Events."""
REFUSED = (400, 403, 422)
"""What trying again alone will not mend."""
BAD_OBJECT = "failed to create typed patch object"
"""The apiserver's words, with status 500, for a field that its schema does not have."""
INVALID = 422
FORBIDDEN = 403
UPGRADE_NOT_READY = "UpgradeNotReady"
"""Reason of the Event that says that a rollout took too long."""
RETRIED = (Outcome.FAILED,)
LOOKED_AT_SOON = (Outcome.TAKEN, Outcome.REFUSED, Outcome.QUEUED, Outcome.WAITING)

_WAITING = {resource.kind: resource for resource in (api.PODS, api.CLAIMS, api.STATEFUL_SETS)}
_RESOURCES = {resource.kind: resource for resource in api.CHILDREN}


class VlnApis(Protocol):
    """Whoever speaks to the models' VLN APIs; not here."""

    def serve(self, namespace: str, model: str) -> None:
        """The model has a VLN API."""

    def end(self, namespace: str, model: str) -> None:
        """It has none any more."""


class Namespaces(Protocol):
    """What is known of the watched namespaces."""

    def unlisted(self) -> tuple[str, ...]:
        """Names of those of which nobody can say what is in them."""

    def suspect(self, namespace: str) -> None:
        """A call in it was forbidden."""


@dataclass(frozen=True)
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
    _failures: dict[Key, int] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> float | None:
        """Bring the cluster closer to what the model wants; seconds until the next look, None when it is gone."""
        body = self.store.get(api.VISION_MODELS, key.namespace, key.name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self._gone(key)
            return None
        try:
            async with asyncio.timeout(PASS_SECONDS):
                again = await self._pass(key, body)
        except TimeoutError:
            words = f"looking after this model took longer than {PASS_SECONDS:g} s and was broken off"
            await self._tell(body, failed_pass(body, words, now=self.now()))
            again = self._retry(key)
        except ApiError:
            raise
        except Exception as error:
            words = f"the operator made a mistake ({type(error).__name__}); its log says more"
            await self._tell(body, failed_pass(body, words, now=self.now()))
            raise
        finally:
            if self.rollouts.looked_at(key):
                self._pass_turn_on()
        return again

    def _gone(self, key: Key) -> None:
        self.vln_apis.end(*key[:2])
        self.leave(key)

    def leave(self, key: Key) -> None:
        """It is gone, or cannot be looked at for now: no other model waits for its rollout."""
        self._failures.pop(key, None)
        last = self.rollouts.looked_at(key)
        if self.rollouts.settled(key) or last:
            self._pass_turn_on()

    async def _pass(self, key: Key, body: Object) -> float:
        try:
            model = parse(body)
        except ValidationError as error:
            await self._tell(body, invalid(body, readable(error), now=self.now()))
            return self._later()
        settings = self.settings()
        if not settings.internal_secret:
            words = f"Secret {names.INTERNAL_SECRET}, which all keys are made from, could not be read or made yet"
            if settings.internal_secret_problem:
                words += f": {settings.internal_secret_problem}"
            await self._tell(body, failed_pass(body, words, now=self.now()))
            return LOOK_SOON_SECONDS
        navigation = model.spec.navigation
        follow = self.vln_apis.end if navigation is None or navigation.replicas == 0 else self.vln_apis.serve
        follow(model.namespace, model.name)
        seen = self._observe(model, settings)
        wanted = desired(model, settings, owns_served_name=self._owns_served_name(model, seen))
        results = await self._converge(key, model, wanted)
        # What was applied is in the store by now.
        seen = replace(self._observe(model, settings), results=tuple(results))
        seen, waits, unread = self._with_events(key, model, seen)
        previous = body.get("status") or {}
        told = status(model, seen, gateway_url=settings.gateway_url, previous=previous, now=self.now())
        if unread and _is_known(body, model) and all(result.outcome is Outcome.UNCHANGED for result in results):
            # A new process: what the status says of those that wait may come from Events that it has not read yet.
            return EVENTS_AFTER_SECONDS
        await self._tell(body, told)
        turn = await self._settle(key, model, body, seen, told)
        return min(turn, self._again(key, results), EVENTS_AFTER_SECONDS if waits else LOOK_AGAIN_SECONDS)

    # What is seen

    def _observe(self, model: VisionModel, settings: Settings) -> Observed:
        engine, vln = (names.child(model.name, word) for word in ("engine", "vln"))
        stateful_set = self.store.get(api.STATEFUL_SETS, model.namespace, engine)
        deployment = self.store.get(api.DEPLOYMENTS, model.namespace, vln)
        pods = [thing for thing in self.store.find(indexes.OF_MODEL, model.uid) if thing["kind"] == api.PODS.kind]
        slices = self.store.find(indexes.SERVICE, (model.namespace, engine))
        navigation = model.spec.navigation is not None
        entries = model_keys.entries(settings.internal_secret, model.namespace, model.name, navigation=navigation)
        return Observed(
            stateful_set=stateful_set if stateful_set is not None and is_ours(model, stateful_set) else None,
            pods=_of_component(pods, "engine"),
            slices=[one for one in slices if (one["metadata"].get("labels") or {}).get(names.MODEL) == model.name],
            vln=deployment if navigation and deployment is not None and is_ours(model, deployment) else None,
            vln_pods=_of_component(pods, "vln"),
            name_owner=self._name_owner(model),
            unlisted=self.namespaces.unlisted(),
            secrets=tuple(entries.values()),
        )

    def _name_owner(self, model: VisionModel) -> str | None:
        """The oldest other model with the same served name, when it is older than this one."""
        rivals = []
        for body in self.store.find(indexes.SERVED_NAME, model.served_name):
            if body["metadata"]["uid"] == model.uid:
                continue
            try:
                other = parse(body)
            except ValidationError:
                continue
            if other.precedence < model.precedence:
                rivals.append(other)
        if not rivals:
            return None
        oldest = min(rivals, key=lambda other: other.precedence)
        return oldest.name if oldest.namespace == model.namespace else f"{oldest.namespace}/{oldest.name}"

    def _owns_served_name(self, model: VisionModel, seen: Observed) -> bool:
        """Whether its Service is a route. Where nobody knows whether another has the name, it stays what it is."""
        if seen.name_owner is not None:
            return False
        if not seen.unlisted:
            return True
        service = self.store.get(api.SERVICES, model.namespace, names.child(model.name, "engine"))
        labels = ((service or {}).get("metadata") or {}).get("labels") or {}
        return labels.get(names.SERVED_NAME) == model.served_name

    def _with_events(self, key: Key, model: VisionModel, seen: Observed) -> tuple[Observed, bool, bool]:
        """What was read of the Events of those that wait; whether any waits, and whether any was not read yet."""
        waiting, now, notes, unread = waiting_titles(seen), _time(self.now()), {}, False
        for one in waiting:
            kind, _, name = one.title.partition(" ")
            if now - _time(one.since) >= EVENTS_AFTER_SECONDS:
                resource = _WAITING[kind]
                known = self.store.get(resource, model.namespace, name)
                uid = None if known is None else known["metadata"]["uid"]
                self.reader.want(key, resource, model.namespace, name, uid)
                unread = unread or not self.reader.is_read(kind, model.namespace, name)
            if found := self.reader.notes(kind, model.namespace, name):
                notes[one.title] = found
        return replace(seen, events=notes), bool(waiting), unread

    # What is done

    async def _converge(self, key: Key, model: VisionModel, wanted: list[Object]) -> list[Result]:
        """Apply what differs and prune what is not wanted: a result for each object."""
        live = [self.store.get(_resource(thing), model.namespace, thing["metadata"]["name"]) for thing in wanted]
        now = asyncio.get_running_loop().time()
        situation = Situation(
            missing_keys=self._missing_keys(key, model),
            may_begin=lambda: self.rollouts.may_begin(key, model.precedence, now),
        )
        steps = plan(model, wanted, live, situation)
        if not any(step.outcome is Outcome.QUEUED or step.paced for step in steps):
            self.rollouts.withdrawn(key)
        results = [await self._carry_out(key, model, step) for step in steps]
        if any(step.paced and result.outcome is Outcome.APPLIED for step, result in zip(steps, results, strict=True)):
            self._began(key, model)
        children = self.store.find(indexes.OF_MODEL, model.uid)
        for thing in unwanted(model, wanted, children):
            results += await self._delete(model, thing)
        return results

    def _missing_keys(self, key: Key, model: VisionModel) -> dict[str, MissingKeys]:
        """By kind of object, keys that it needs and that are not there; whoever writes them is asked to."""
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

    async def _carry_out(self, key: Key, model: VisionModel, step: Step) -> Result:
        thing = step.thing
        if step.outcome is not None:
            return Result(title(thing), step.outcome, step.status, step.message)
        try:
            if step.live is None:
                # The store has only what carries our labels.
                found = await self.kube.get(_resource(thing), model.namespace, thing["metadata"]["name"])
                if found is not None and not is_ours(model, found):
                    return Result(title(thing), Outcome.TAKEN)
            applied = await self._apply(to_apply(step, model, self.now()), step.live)
        except ApiError as error:
            return self._failed(model, thing, error)
        self.store.put(_resource(thing), applied, live=True)
        log.info("applied %s in %s", title(thing), model.namespace)
        return Result(title(thing), Outcome.APPLIED)

    async def _apply(self, thing: Object, old: Object | None) -> Object:
        """Apply, and once more without what somebody put into our lists when that is in the way."""
        resource = _resource(thing)
        try:
            return await self.kube.apply(resource, thing)
        except ApiError as error:
            added = foreign_entries(thing, old) if old is not None and error.status == INVALID else []
            if not added:
                raise
            await self.kube.remove(resource, thing["metadata"]["namespace"], thing["metadata"]["name"], added)
            return await self.kube.apply(resource, thing)

    async def _delete(self, model: VisionModel, thing: Object) -> list[Result]:
        metadata = thing["metadata"]
        try:
            await self.kube.delete(_resource(thing), model.namespace, metadata["name"], metadata["uid"])
        except ApiError as error:
            return [self._failed(model, thing, error)]
        log.info("deleted %s in %s", title(thing), model.namespace)
        return []

    def _failed(self, model: VisionModel, thing: Object, error: ApiError) -> Result:
        if error.status == FORBIDDEN:
            self.namespaces.suspect(model.namespace)
        refused = error.status in REFUSED or BAD_OBJECT in str(error)
        outcome = Outcome.REFUSED if refused else Outcome.FAILED
        log.warning("%s in %s: %s", title(thing), model.namespace, error)
        return Result(title(thing), outcome, error.status, str(error))

    # Whose turn it is

    def _patience(self, model: VisionModel) -> float:
        """How long a rollout of the model may take, seconds: what its engine's start-up may."""
        program = model.spec.engine.kind.program(model)
        return float(program.startup_period_seconds * program.startup_failures + program.grace_seconds)

    def _began(self, key: Key, model: VisionModel) -> None:
        """A paced change of it was applied. One that was not Ready before is not waited for."""
        body = self.store.get(api.VISION_MODELS, key.namespace, key.name) or {}
        until = asyncio.get_running_loop().time() + self._patience(model) if _is_ready(body) else None
        self.rollouts.began(key, until)
        if until is None:
            self._pass_turn_on()

    async def _settle(self, key: Key, model: VisionModel, body: Object, seen: Observed, told: Object) -> float:
        """End the model's turn when it is over; seconds until it is looked at again for that."""
        now = asyncio.get_running_loop().time()
        until = self.rollouts.until(key)
        if until is None:
            until = self._resumed(key, model, seen, told, now)
        if until is None:
            return LOOK_AGAIN_SECONDS
        done = _is_ready({"status": told}) and _is_rolled_out(told) and _is_settled(seen.vln)
        if done or until <= now:
            if not done:
                words = "not Ready again after its start-up time; the next model is rolled out all the same"
                log.warning("%s: %s", key, words)
                await self.writer.emit(body, type_="Warning", reason=UPGRADE_NOT_READY, message=words)
            self.rollouts.settled(key)
            self._pass_turn_on()
            return LOOK_AGAIN_SECONDS
        return until - now

    def _resumed(self, key: Key, model: VisionModel, seen: Observed, told: Object, now: float) -> float | None:
        """A rollout that a former process of this operator began goes on."""
        noted = ((seen.stateful_set or {}).get("metadata") or {}).get("annotations") or {}
        if names.ROLLOUT not in noted or (_is_rolled_out(told) and _is_ready({"status": told})):
            return None
        left = _time(noted[names.ROLLOUT]) + self._patience(model) - _time(self.now())
        if left <= 0:
            return None
        self.rollouts.began(key, now + left)
        return now + left

    def _pass_turn_on(self) -> None:
        for key in self.rollouts.next():
            self.notify(key)

    # What is told

    async def _tell(self, body: Object, wanted: Object) -> None:
        """Write the status if it says something new, and Events where people want to hear of it."""
        if body.get("status") == wanted:
            return
        metadata = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
        told = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": wanted}
        try:
            written = await self.kube.apply_status(api.VISION_MODELS, told)
        except ApiError as error:
            if error.status == FORBIDDEN:
                self.namespaces.suspect(metadata["namespace"])
            if error.status != 404:  # deleted meanwhile
                raise
        else:
            self.store.put(api.VISION_MODELS, written, live=True)
        for event in events_wanted(body.get("status") or {}, wanted):
            await self.writer.emit(body, type_=event.type, reason=event.reason, message=event.message)

    # When to look again

    def _again(self, key: Key, results: Iterable[Result]) -> float:
        outcomes = {result.outcome for result in results}
        if outcomes.intersection(RETRIED):
            return self._retry(key)
        self._failures.pop(key, None)
        return LOOK_SOON_SECONDS if outcomes.intersection(LOOKED_AT_SOON) else self._later()

    def _retry(self, key: Key) -> float:
        self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(LONGEST_RETRY_SECONDS, 2.0 ** min(self._failures[key] - 1, 10)))

    def _later(self) -> float:
        return self.look_again_seconds * (0.8 + 0.4 * self.jitter())


def _of_component(pods: list[Object], component: str) -> list[Object]:
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(names.COMPONENT) == component]


def _condition(body: Object, kind: str) -> Object:
    conditions: list[Object] = (body.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def _is_known(body: Object, model: VisionModel) -> bool:
    """Whether the status is about this spec."""
    return bool((body.get("status") or {}).get("observedGeneration") == model.generation)


def _is_ready(body: Object) -> bool:
    return bool(_condition(body, "Ready").get("status") == "True")


def _is_rolled_out(told: Object) -> bool:
    return bool(_condition({"status": told}, "UpToDate").get("status") == "True")


def _is_settled(deployment: Object | None) -> bool:
    """Whether a Deployment's controller has replaced all pods by those of its newest template."""
    if deployment is None:
        return True
    told, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = told.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(seen and told.get("updatedReplicas", 0) == wanted == told.get("replicas", 0))


def _resource(thing: Object) -> Resource:
    return _RESOURCES[thing["kind"]]


def _time(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0
