"""What is done about each object of a plan: a call, a result, and the answer into the store. Nothing that goes wrong
with one object keeps anybody from the others."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.compare import without_foreign_entries
from qwen3vl_operator.kube.mask import MIN_TAIL, mask
from qwen3vl_operator.kube.resources import Object, Resource, title
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.vision_model.observed import Outcome, Result
from qwen3vl_operator.vision_model.plan import Step, is_ours, to_apply
from qwen3vl_operator.vision_model.spec import VisionModel

log = logging.getLogger(__name__)

REFUSED = (400, 403, 422)
"""What trying again alone will not mend."""
BAD_OBJECT = "failed to create typed patch object"
"""The apiserver's words, with status 500, for a field that its schema does not have."""
INVALID = 422
FORBIDDEN = 403

_RESOURCES = {resource.kind: resource for resource in api.CHILDREN}


def resource_of(thing: Object) -> Resource:
    """Where the API serves an object that is made for a model."""
    return _RESOURCES[thing["kind"]]


@dataclass(frozen=True)
class Hands:
    """Applies and deletes.

    Attributes:
        suspect: told the namespace of a call that was forbidden.
    """

    kube: Kube
    store: Store
    suspect: Callable[[str], None]

    async def carry_out(self, model: VisionModel, step: Step, began: str | None) -> Result:
        """What became of the step's object.

        Args:
            began: RFC 3339 time, where a rollout begins with it that others wait for.
        """
        thing = step.thing
        if step.outcome is not None:
            return Result(title(thing), step.outcome, step.status, step.message)
        try:
            if step.live is None:
                # The store has only what carries our labels.
                found = await self.kube.get(resource_of(thing), model.namespace, thing["metadata"]["name"])
                if found is not None and not is_ours(model, found):
                    return Result(title(thing), Outcome.TAKEN)
            applied = await self._apply(to_apply(step, model, began), step.live)
        except ApiError as error:
            return self._failed(model, thing, error)
        self.store.put(resource_of(thing), applied, live=True)
        log.info("applied %s in %s", title(thing), model.namespace)
        return Result(title(thing), Outcome.APPLIED)

    async def delete(self, model: VisionModel, thing: Object) -> list[Result]:
        """Delete the object; a result where that fails."""
        metadata = thing["metadata"]
        try:
            was_there = await self.kube.delete(resource_of(thing), model.namespace, metadata["name"], metadata["uid"])
        except ApiError as error:
            return [self._failed(model, thing, error)]
        if not was_there:
            # Its end was before the watch began, which will never tell of it.
            self.store.remove(resource_of(thing), thing)
            return []
        log.info("deleted %s in %s", title(thing), model.namespace)
        return []

    async def _apply(self, thing: Object, old: Object | None) -> Object:
        """Apply, and once more without what somebody put into our lists when that is in the way."""
        resource = resource_of(thing)
        try:
            return await self.kube.apply(resource, thing)
        except ApiError as error:
            edits = without_foreign_entries(thing, old) if old is not None and error.status == INVALID else []
            if not edits:
                raise
            await self.kube.edit(resource, thing["metadata"]["namespace"], thing["metadata"]["name"], edits)
            return await self.kube.apply(resource, thing)

    def _failed(self, model: VisionModel, thing: Object, error: ApiError) -> Result:
        if error.status == FORBIDDEN:
            self.suspect(model.namespace)
        refused = error.status in REFUSED or BAD_OBJECT in str(error)
        outcome = Outcome.REFUSED if refused else Outcome.FAILED
        words = mask(str(error), _values(model))
        log.warning("%s in %s: %s", title(thing), model.namespace, words)
        return Result(title(thing), outcome, error.status, words)


def _values(model: VisionModel) -> list[str]:
    """Values of environment variables that a refusal may quote; a short one is masked only as a quotation."""
    values = [one.value for one in model.spec.engine.env if one.value]
    return [part for value in values for part in (f'"{value}"', *([value] if len(value) >= MIN_TAIL else []))]
