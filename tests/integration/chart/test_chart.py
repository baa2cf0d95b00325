"""What the chart renders, and which values it refuses. Needs helm, which is built once; no cluster."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen3vl_operator.__main__ import operator_from_environment
from qwen3vl_server.gateway import settings

ROOT = Path(__file__).resolve().parents[3]
Object = dict[str, Any]


def _helm_template(values: Object) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "hack/cluster/helm"), "template", "qwen3vl", str(ROOT / "charts/qwen3vl")]
    arguments = ["--namespace", "home", "--values", "-"]
    return subprocess.run([*command, *arguments], input=json.dumps(values), capture_output=True, text=True)


def render(**values: Any) -> list[Object]:
    """The objects for these values."""
    done = _helm_template(values)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [item for item in objects if item["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in of_kind(objects, kind) if item["metadata"]["name"] == name)


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """Every pod that the chart makes: the Deployments' and the test's."""
    deployments = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in of_kind(objects, "Deployment")
    }
    return deployments | {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "Pod")}


def container(objects: list[Object], deployment: str) -> Object:
    return dict(pod_specs(objects)[deployment]["containers"][0])


@pytest.fixture(scope="module")
def defaults() -> list[Object]:
    return render()


def test_every_pod_is_restricted_and_bounded(defaults: list[Object]) -> None:
    specs = pod_specs(defaults)
    assert specs.keys() == {"qwen3vl-operator", "qwen3vl-gateway", "qwen3vl-test-picture"}
    for name, spec in specs.items():
        assert spec["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 65532}.items(), name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        for item in spec["containers"]:
            assert item["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= item["resources"]["requests"].keys(), name
            assert "memory" in item["resources"]["limits"], name
            assert {"name": "tmp", "mountPath": "/tmp"} in item["volumeMounts"], name


def test_the_gateways_replicas_belong_to_its_autoscaler(defaults: list[Object]) -> None:
    assert "replicas" not in named(defaults, "Deployment", "qwen3vl-gateway")["spec"]
    autoscaler = named(defaults, "HorizontalPodAutoscaler", "qwen3vl-gateway")
    assert autoscaler["apiVersion"] == "autoscaling/v2"
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == "qwen3vl-gateway"
    budget = named(defaults, "PodDisruptionBudget", "qwen3vl-gateway")["spec"]["selector"]["matchLabels"]
    labels = named(defaults, "Deployment", "qwen3vl-gateway")["spec"]["template"]["metadata"]["labels"]
    assert budget.items() <= labels.items()


def test_there_is_never_a_second_operator(defaults: list[Object]) -> None:
    spec = named(defaults, "Deployment", "qwen3vl-operator")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    tolerated = {item["key"]: item["tolerationSeconds"] for item in spec["template"]["spec"]["tolerations"]}
    assert tolerated == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


def test_rights_are_given_in_the_watched_namespaces_only() -> None:
    objects = render(watchNamespaces=["robots", "vision"])
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    for name in ("qwen3vl-operator", "qwen3vl-gateway"):
        roles = [item for item in of_kind(objects, "Role") if item["metadata"]["name"] == name]
        assert {item["metadata"]["namespace"] for item in roles} == {"robots", "vision"}
        for binding in of_kind(objects, "RoleBinding"):
            if binding["roleRef"]["name"] == name:
                assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "home"}]
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], role["metadata"]["name"]


def test_the_gateway_may_read_endpointslices_and_nothing_else(defaults: list[Object]) -> None:
    rules = [(r["apiGroups"], r["resources"], r["verbs"]) for r in named(defaults, "Role", "qwen3vl-gateway")["rules"]]
    assert rules == [(["discovery.k8s.io"], ["endpointslices"], ["get", "list", "watch"])]


def test_the_gateway_understands_its_arguments() -> None:
    timeouts = {"connectSeconds": 1, "firstByteSeconds": 7.5, "idleSeconds": 8, "drainSeconds": 0}
    objects = render(watchNamespaces=["robots", "vision"], gateway={"timeouts": timeouts, "limits": {"maxImages": 3}})
    module, *arguments = container(objects, "qwen3vl-gateway")["args"]
    assert module == "qwen3vl_server.gateway"
    options = settings.parser().parse_args(arguments)
    assert options.namespaces == "robots,vision"
    assert (options.first_byte_timeout_seconds, options.drain_seconds, options.max_images) == (7.5, 0, 3)
    assert options.max_body_bytes == 33_554_432


def test_the_operator_understands_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render(
        watchNamespaces=["vision", "robots"],
        server={"image": {"repository": "here/server", "tag": "7"}},
        vln={"image": {"repository": "here/vln", "tag": "8"}},
    )
    for variable in container(objects, "qwen3vl-operator")["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"])
    operator = operator_from_environment()
    assert operator.namespaces == ("robots", "vision")
    assert operator.release_namespace == "home"
    assert operator.server_image == "here/server:7"
    assert operator.vln_image == "here/vln:8"
    assert operator.gateway_url == "http://qwen3vl-gateway.home/v1"
    assert operator.owner_deployment == named(objects, "Deployment", "qwen3vl-operator")["metadata"]["name"]


def test_a_port_of_the_service_is_part_of_the_address() -> None:
    objects = render(gateway={"service": {"port": 8080}})
    url = next(v["value"] for v in container(objects, "qwen3vl-operator")["env"] if v["name"] == "QWEN3VL_GATEWAY_URL")
    assert url == "http://qwen3vl-gateway.home:8080/v1"
    assert "--gateway-url=http://qwen3vl-gateway.home:8080" in container(objects, "qwen3vl-test-picture")["args"]


def test_the_first_key_is_made_by_the_chart_or_given() -> None:
    made = named(render(), "Secret", "qwen3vl-keys")
    assert list(made["data"]) == ["default"]
    assert made["data"] != named(render(), "Secret", "qwen3vl-keys")["data"], "every installation has its own"
    given = render(gateway={"keys": {"existingSecret": "ours"}})
    assert not of_kind(given, "Secret")
    for pod in ("qwen3vl-gateway", "qwen3vl-test-picture"):
        assert {"name": "keys", "secret": {"secretName": "ours"}} in pod_specs(given)[pod]["volumes"]


def test_definitions_are_kept_and_can_be_left_to_an_administrator() -> None:
    written = [yaml.safe_load((ROOT / "crds" / file).read_text()) for file in ("navtasks.yaml", "visionmodels.yaml")]
    rendered = of_kind(render(), "CustomResourceDefinition")
    assert sorted(rendered, key=lambda one: str(one["metadata"]["name"])) == written
    for one in written:
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(render(crds={"install": False}), "CustomResourceDefinition")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"gatway": {}}, "additional properties 'gatway' not allowed"),
        ({"gateway": {"replicas": 2}}, "additional properties 'replicas' not allowed"),
        ({"gateway": {"service": {"port": 0}}}, "minimum: got 0, want 1"),
        ({"gateway": {"timeouts": {"firstByteSeconds": "10m"}}}, "got string, want number"),
        ({"watchNamespaces": "robots"}, "got string, want array"),
        ({"watchNamespaces": ["Robots"]}, "does not match pattern"),
        ({"server": {"image": {"pullPolicy": "Sometimes"}}}, "'Always', 'IfNotPresent', 'Never'"),
        ({"operator": {"logLevel": "loud"}}, "'debug', 'info', 'warning', 'error'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: Object, says: str) -> None:
    done = _helm_template(values)
    assert done.returncode != 0
    assert says in done.stderr
    *_, innermost = _path(values)
    assert innermost in done.stderr, done.stderr


def _path(values: Object) -> list[str]:
    """The keys that lead to the wrong value."""
    key, value = next(iter(values.items()))
    return [key, *(_path(value) if isinstance(value, dict) and value else [])]
