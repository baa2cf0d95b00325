"""Writing a model's status where it says something new, and the Events that go with it."""

from collections.abc import Callable
from dataclasses import dataclass

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.vision_model.carry_out import FORBIDDEN
from qwen3vl_operator.vision_model.events_wanted import events_wanted

GONE = 404


@dataclass(frozen=True)
class Voice:
    """Tells people of models.

    Attributes:
        suspect: told the namespace of a call that was forbidden.
    """

    kube: Kube
    store: Store
    writer: EventWriter
    suspect: Callable[[str], None]

    async def tell(self, body: Object, wanted: Object) -> None:
        """Write the status if it differs from the object's, and Events where people want to hear of it.

        Raises:
            ApiError: it could not be written.
        """
        if body.get("status") == wanted:
            return
        metadata = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
        told = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": wanted}
        try:
            written = await self.kube.apply_status(api.VISION_MODELS, told)
        except ApiError as error:
            if error.status == FORBIDDEN:
                self.suspect(metadata["namespace"])
            if error.status == GONE:
                return  # deleted meanwhile; of another object in its place a later pass tells
            raise
        self.store.put(api.VISION_MODELS, written, live=True)
        for event in events_wanted(body.get("status") or {}, wanted):
            await self.writer.emit(body, type_=event.type, reason=event.reason, message=event.message)
