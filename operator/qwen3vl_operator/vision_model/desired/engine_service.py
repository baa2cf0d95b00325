"""The headless Service is the route: Kubernetes copies its labels to the EndpointSlices that the gateway watches."""

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired.metadata import Object, metadata, selector
from qwen3vl_operator.vision_model.spec import VisionModel


def engine_service(model: VisionModel, *, routed: bool) -> Object:
    """The engine's Service; without the served name's label when another model has that name."""
    meta = metadata(model, "engine")
    meta["labels"] |= {
        names.ENGINE: model.spec.engine.name,
        names.CONTEXT_LENGTH: str(model.spec.engine.context_length),
    }
    if routed:
        meta["labels"][names.SERVED_NAME] = model.served_name
    port = {"name": names.PORT_NAME, "port": names.SERVICE_PORT, "targetPort": names.ENGINE_PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"clusterIP": "None", "selector": selector(model), "ports": [port]},
    }
