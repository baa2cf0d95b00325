"""The Service of a model's VLN API; None where navigation is off."""

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired.metadata import Object, metadata, selector
from qwen3vl_operator.vision_model.desired.vln import COMPONENT
from qwen3vl_operator.vision_model.spec import VisionModel


def vln_service(model: VisionModel) -> Object | None:
    """Where robots and the operator find the VLN API; without the served name's label, for it is no route."""
    if model.spec.navigation is None:
        return None
    port = {"name": names.PORT_NAME, "port": names.SERVICE_PORT, "targetPort": names.VLN_PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, COMPONENT),
        "spec": {"selector": selector(model, COMPONENT), "ports": [port]},
    }
