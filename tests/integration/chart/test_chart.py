"""What the chart renders, and which values it refuses. Needs helm, which is built once; no cluster."""

import pytest
import yaml
from tests.integration.chart.rendering import (
    REGISTRY,
    ROOT,
    Object,
    container,
    environment,
    helm_template,
    migration_job,
    named,
    of_kind,
    pod_specs,
    pod_templates,
    render,
)

from qwen3vl_operator.__main__ import options_from_environment
from qwen3vl_server.gateway import settings


@pytest.fixture(scope="module")
def defaults() -> list[Object]:
    return render()


def test_every_pod_is_restricted_and_bounded(defaults: list[Object]) -> None:
    specs = pod_specs(defaults)
    assert specs.keys() == {"qwen3vl-operator", "qwen3vl-gateway", "qwen3vl-test-picture", migration_job(defaults)}
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


def test_the_gateway_understands_its_arguments() -> None:
    timeouts = {"connectSeconds": 1, "firstByteSeconds": 7.5, "idleSeconds": 8, "drainSeconds": 0}
    limits = {
        "maxBodyBytes": 1_000_000,
        "maxBytesInFlight": 4_000_000,
        "maxUnknownConnections": 50,
        "maxUnknownConnectionsPerAddress": 5,
        "maxImagePixels": 1_000,
        "maxTotalPixels": 2_000,
        "maxImages": 3,
        "allowSpecialTokens": True,
    }
    objects = render(watchNamespaces=["robots", "vision"], gateway={"timeouts": timeouts, "limits": limits})
    module, *arguments = container(objects, "qwen3vl-gateway")["args"]
    assert module == "qwen3vl_server.gateway"
    options = settings.parser().parse_args(arguments)
    assert options.namespaces == "robots,vision"
    assert (options.first_byte_timeout_seconds, options.drain_seconds, options.max_images) == (7.5, 0, 3)
    assert (options.max_body_bytes, options.max_bytes_in_flight) == (1_000_000, 4_000_000)
    assert (options.max_unknown_connections, options.max_unknown_connections_per_address) == (50, 5)
    assert (options.max_image_pixels, options.max_total_pixels) == (1_000, 2_000)
    assert options.allow_special_tokens


def test_the_gateways_defaults_are_those_of_its_program(defaults: list[Object]) -> None:
    options = vars(settings.parser().parse_args(container(defaults, "qwen3vl-gateway")["args"][1:]))
    usual = vars(settings.parser().parse_args([]))
    assert {name for name in options if options[name] != usual[name]} == {"keys_dir", "internal_key_file", "namespaces"}


def test_the_kubelet_asks_the_gateways_second_port(defaults: list[Object]) -> None:
    gateway = container(defaults, "qwen3vl-gateway")
    options = settings.parser().parse_args(gateway["args"][1:])
    ports = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    assert ports == {"http": options.port, "metrics": options.metrics_port}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert gateway[probe]["httpGet"]["port"] == "metrics"


def test_the_operator_understands_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render(
        watchNamespaces=["vision", "robots"],
        operator={"image": {"repository": "here/operator"}},
        server={"image": {"repository": "here/server", "tag": "7"}},
        vln={"image": {"repository": "here/vln", "tag": "8"}},
        **{"global": {}},
    )
    for name, value in environment(objects, "qwen3vl-operator").items():
        monkeypatch.setenv(name, value)
    options = options_from_environment()
    assert options.namespaces == ("robots", "vision")
    assert options.release_namespace == "home"
    assert options.user_keys_secret == "qwen3vl-keys"
    assert options.max_concurrent_upgrades == 1
    assert (options.health_port, options.metrics_port) == (8080, 9090)
    assert options.settings.server_image == "here/server:7"
    assert options.settings.vln_image == "here/vln:8"
    assert options.settings.gateway_url == "http://qwen3vl-gateway.home/v1"


def test_a_port_of_the_service_is_part_of_the_address() -> None:
    objects = render(gateway={"service": {"port": 8080}})
    assert environment(objects, "qwen3vl-operator")["QWEN3VL_GATEWAY_URL"] == "http://qwen3vl-gateway.home:8080/v1"
    assert "--gateway-url=http://qwen3vl-gateway.home:8080" in container(objects, "qwen3vl-test-picture")["args"]


def test_users_keys_are_made_by_the_operator_or_given(defaults: list[Object]) -> None:
    assert environment(defaults, "qwen3vl-operator")["QWEN3VL_USER_KEYS_SECRET"] == "qwen3vl-keys"
    given = render(gateway={"keys": {"existingSecret": "ours"}})
    assert environment(given, "qwen3vl-operator")["QWEN3VL_USER_KEYS_SECRET"] == ""
    for objects, secret in ((defaults, "qwen3vl-keys"), (given, "ours")):
        for pod in ("qwen3vl-gateway", "qwen3vl-test-picture"):
            assert {"name": "keys", "secret": {"secretName": secret}} in pod_specs(objects)[pod]["volumes"]


def test_the_same_values_render_the_same_bytes() -> None:
    first, second = (helm_template(REGISTRY).stdout for _ in range(2))
    assert first == second != ""


def test_no_template_makes_a_secret_or_looks_into_the_cluster(defaults: list[Object]) -> None:
    assert not of_kind(defaults, "Secret")
    for template in (ROOT / "charts/qwen3vl/templates").rglob("*.*"):
        for function in ("lookup", "randAlphaNum", "randBytes", "uuidv4", "genPrivateKey", "now"):
            assert f"{{{{ {function} " not in template.read_text(), template
            assert f"({function} " not in template.read_text(), template


def test_definitions_are_kept_say_what_is_watched_and_can_be_left_to_an_administrator() -> None:
    written = [yaml.safe_load((ROOT / "crds" / file).read_text()) for file in ("navtasks.yaml", "visionmodels.yaml")]
    rendered = sorted(of_kind(render(), "CustomResourceDefinition"), key=lambda one: str(one["metadata"]["name"]))
    for plain, templated in zip(written, rendered, strict=True):
        assert plain["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert templated["metadata"]["annotations"] == {
            "helm.sh/resource-policy": "keep",
            "qwen3vl.io/watched-configmap": "home/qwen3vl-watched",
        }
        assert {**templated, "metadata": plain["metadata"]} == plain
    assert not of_kind(render(crds={"install": False}), "CustomResourceDefinition")


def test_the_configmap_says_which_namespaces_are_watched(defaults: list[Object]) -> None:
    assert named(defaults, "ConfigMap", "qwen3vl-watched")["data"] == {"namespaces": "home"}
    several = render(watchNamespaces=["robots", "vision"])
    assert named(several, "ConfigMap", "qwen3vl-watched")["data"] == {"namespaces": "robots,vision"}


def test_everything_has_the_recommended_labels(defaults: list[Object]) -> None:
    components = {}
    for item in [*defaults, *pod_templates(defaults).values()]:
        labels = item["metadata"]["labels"]
        assert (
            labels.items()
            >= {
                "app.kubernetes.io/name": "qwen3vl",
                "app.kubernetes.io/instance": "qwen3vl",
                "app.kubernetes.io/version": "0.1.0",
                "app.kubernetes.io/part-of": "qwen3vl",
                "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": "qwen3vl-0.1.0",
            }.items()
        ), item["metadata"]
        components[item.get("kind", "pod"), item["metadata"].get("name")] = labels["app.kubernetes.io/component"]
    assert components["Deployment", "qwen3vl-operator"] == "operator"
    assert components["ServiceAccount", "qwen3vl-gateway"] == "gateway"
    assert set(components.values()) == {"operator", "gateway", "crds", "test", "migration"}


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_selectors_stay_those_of_the_version_before(defaults: list[Object], component: str) -> None:
    """A Deployment's cannot be changed: an upgrade would fail."""
    spec = named(defaults, "Deployment", f"qwen3vl-{component}")["spec"]
    before = {"app.kubernetes.io/part-of": "qwen3vl", "app.kubernetes.io/component": component}
    assert spec["selector"] == {"matchLabels": before}
    assert before.items() <= spec["template"]["metadata"]["labels"].items()


def test_the_operator_is_asked_on_ports_of_its_own(defaults: list[Object]) -> None:
    operator = container(defaults, "qwen3vl-operator")
    ports = {one["name"]: one["containerPort"] for one in operator["ports"]}
    assert ports == {"health": 8080, "metrics": 9090}
    told = environment(defaults, "qwen3vl-operator")
    assert (told["QWEN3VL_HEALTH_PORT"], told["QWEN3VL_METRICS_PORT"]) == ("8080", "9090")
    assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def test_upgrades_are_paced_as_the_values_say(defaults: list[Object]) -> None:
    assert environment(defaults, "qwen3vl-operator")["QWEN3VL_UPGRADE_MAX_CONCURRENT"] == "1"
    faster = render(operator={"upgrade": {"maxConcurrent": 3}})
    assert environment(faster, "qwen3vl-operator")["QWEN3VL_UPGRADE_MAX_CONCURRENT"] == "3"
