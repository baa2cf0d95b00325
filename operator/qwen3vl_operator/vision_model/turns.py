"""A model's turn to be rolled out for the operator's own reasons: when it begins, when it is over, who comes next."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.kube.times import seconds
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.rollouts import Rollouts
from qwen3vl_operator.vision_model.spec import VisionModel

log = logging.getLogger(__name__)

UPGRADE_NOT_READY = "UpgradeNotReady"
"""Reason of the Event that says that a rollout took too long."""
TOO_LONG = "not Ready again after its start-up time; the next model is rolled out all the same"


@dataclass(frozen=True)
class Turns:
    """Turns of models.

    Attributes:
        now: the present time in RFC 3339.
        notify: told keys whose turn it may be now.
    """

    store: Store
    rollouts: Rollouts
    writer: EventWriter
    now: Callable[[], str]
    notify: Callable[[Key], None]

    def may_begin(self, key: Key, model: VisionModel) -> bool:
        """Whether it is the model's turn."""
        return self.rollouts.may_begin(key, model.precedence, _clock())

    def was_ready(self, key: Key) -> bool:
        """Whether the model is waited for: one that was not Ready before is not."""
        return _is_true(self.store.get(api.VISION_MODELS, key.namespace, key.name) or {}, "Ready")

    def began(self, key: Key, model: VisionModel) -> None:
        """A paced change of it was applied."""
        until = _clock() + _patience_seconds(model) if self.was_ready(key) else None
        self.rollouts.began(key, until)
        if until is None:
            self._next()

    def failed(self, key: Key) -> None:
        """Nothing that is paced could be applied to it: it is the next one's turn until it asks again."""
        self.rollouts.withdrawn(key)
        self._next()

    async def settle(self, key: Key, model: VisionModel, body: Object, seen: Observed, told: Object) -> float | None:
        """End the model's turn when it is over; seconds until it is to be looked at for that, None: it has no turn."""
        until = self.rollouts.until(key)
        if until is None:
            until = self._resumed(key, model, seen, told)
        if until is None:
            return None
        done = _is_done(seen, told)
        if not done and until > _clock():
            return until - _clock()
        if not done:
            log.warning("%s: %s", key, TOO_LONG)
            await self.writer.emit(body, type_="Warning", reason=UPGRADE_NOT_READY, message=TOO_LONG)
        self.rollouts.settled(key)
        self._next()
        return None

    def looked_at(self, key: Key) -> None:
        """There was a pass over the model, well or not."""
        if self.rollouts.looked_at(key):
            self._next()

    def gone(self, key: Key) -> None:
        """The model is gone."""
        last = self.rollouts.looked_at(key)
        if self.rollouts.settled(key) or last:
            self._next()

    def _resumed(self, key: Key, model: VisionModel, seen: Observed, told: Object) -> float | None:
        """Until when a rollout is waited for that a former process of this operator began; None where there is none."""
        noted = [_noted(thing, names.ROLLOUT) for thing in (seen.stateful_set, seen.vln)]
        began = max((seconds(time) for time in noted if time), default=None)
        if began is None or _is_done(seen, told):
            return None
        left = began + _patience_seconds(model) - seconds(self.now())
        if left <= 0:
            return None
        self.rollouts.began(key, _clock() + left)
        return _clock() + left

    def _next(self) -> None:
        for key in self.rollouts.next():
            self.notify(key)


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _patience_seconds(model: VisionModel) -> float:
    """How long a rollout of the model may take: what its engine's start-up may, and its end."""
    program = model.spec.engine.kind.program(model)
    return float(program.startup_period_seconds * program.startup_failures + program.grace_seconds)


def _is_true(body: Object, kind: str) -> bool:
    conditions: list[Object] = (body.get("status") or {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _is_done(seen: Observed, told: Object) -> bool:
    """Whether all that a rollout restarts is as wanted, and serves."""
    return all(_is_true({"status": told}, kind) for kind in ("Ready", "UpToDate")) and _is_settled(seen.vln)


def _noted(thing: Object | None, annotation: str) -> str:
    """What is noted on the object; empty where nothing is."""
    return str((((thing or {}).get("metadata") or {}).get("annotations") or {}).get(annotation, ""))


def _is_settled(deployment: Object | None) -> bool:
    """Whether a Deployment's controller has replaced all pods by those of its newest template."""
    if deployment is None:
        return True
    told, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = told.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(seen and told.get("updatedReplicas", 0) == wanted == told.get("replicas", 0))
