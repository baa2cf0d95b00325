"""The HorizontalPodAutoscaler of a model's VLN API; None where navigation is off."""

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired.metadata import Object, metadata
from qwen3vl_operator.vision_model.desired.vln import COMPONENT
from qwen3vl_operator.vision_model.spec import VisionModel

TARGET_CPU_PERCENT = 80


def vln_autoscaler(model: VisionModel) -> Object | None:
    """The HorizontalPodAutoscaler, which alone decides the Deployment's replicas."""
    navigation = model.spec.navigation
    if navigation is None or navigation.replicas == 0:
        return None
    target = {"type": "Utilization", "averageUtilization": TARGET_CPU_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(model, COMPONENT),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.child(model.name, COMPONENT),
            },
            "minReplicas": navigation.replicas,
            "maxReplicas": navigation.replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
