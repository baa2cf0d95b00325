"""Where pods run and who reaches them, as the values say."""

import pytest
from tests.integration.chart.rendering import Object, named, pod_templates, render

PLACEMENT: Object = {
    "nodeSelector": {"disk": "ssd"},
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "urgent",
}


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_pods_go_where_the_values_say(component: str) -> None:
    toleration = {"key": "dedicated", "operator": "Exists"}
    own = {"name": "HTTPS_PROXY", "value": "http://proxy"}
    chosen = PLACEMENT | {
        "tolerations": [toleration],
        "extraEnv": [own],
        "resources": {"requests": {"cpu": "1"}},
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "podLabels": {"team": "robots", "app.kubernetes.io/component": "not this"},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn"}},
    }
    objects = render(**{component: chosen})
    template = pod_templates(objects)[f"qwen3vl-{component}"]
    assert template["spec"].items() >= PLACEMENT.items()
    assert toleration in template["spec"]["tolerations"]
    assert own in template["spec"]["containers"][0]["env"]
    assert template["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1"} | ({"memory": "128Mi"}), (
        "merged with the defaults"
    )
    assert template["metadata"]["annotations"] == chosen["podAnnotations"]
    labels = template["metadata"]["labels"]
    assert (labels["team"], labels["app.kubernetes.io/component"]) == ("robots", component)
    account = named(objects, "ServiceAccount", f"qwen3vl-{component}")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn"}


def test_the_gateways_service_takes_a_port_of_the_nodes_and_annotations() -> None:
    chosen = {"type": "NodePort", "nodePort": 30080, "annotations": {"metallb.io/address-pool": "lab"}}
    service = named(render(gateway={"service": chosen}), "Service", "qwen3vl-gateway")
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}]
    assert service["metadata"]["annotations"] == chosen["annotations"]
    plain = named(render(gateway={"service": {"nodePort": 30080}}), "Service", "qwen3vl-gateway")
    assert "nodePort" not in plain["spec"]["ports"][0], "a ClusterIP has none"
