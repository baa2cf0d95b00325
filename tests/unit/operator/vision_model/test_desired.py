"""Rendered objects against golden files: a difference in review is a difference in production.

After a wanted change: `QWEN3VL_WRITE_GOLDEN=1 python -m pytest tests/unit/operator/test_desired.py`, then read the
difference in git."""

import hashlib
import json
import os
import pathlib
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tests.unit.operator import samples
from tests.unit.operator.samples import EVERYTHING

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired import Object, desired, in_registry
from qwen3vl_operator.vision_model.desired.spec_hash import former_spec_hash
from qwen3vl_operator.vision_model.spec import Navigation, VisionModel, parse
from qwen3vl_vln.__main__ import _options as vln_command_line
from qwen3vl_vln.task.ceilings import Ceilings
from qwen3vl_vln.task.tasks import OWNED_ONLY, TASKS_PER_MAKER, UNFINISHED_MOST

GOLDEN = pathlib.Path(__file__).parent / "golden"
NAVIGATION = samples.SIMULATOR | {
    "navigation": {
        "keysSecret": "robots",
        "resources": {"cpu": 1, "memory": "2Gi"},
        "recordings": {"maxSize": "20Gi"},
        "tasksPerKey": 64,
        "trustedProxies": ["10.0.0.0/8", "fd00::7"],
    },
    "pod": {"imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"for": "engines"}},
}
CASES = {
    "lmdeploy": (samples.example("lmdeploy.yaml"), True),
    "simulator": (samples.example("simulator.yaml"), True),
    "everything": (samples.body("everything", EVERYTHING), True),
    "navigation": (samples.body("navigation", NAVIGATION), True),
    "name-collision": (samples.body("younger", samples.SIMULATOR | {"servedName": "shared"}), False),
}


def render(case: str) -> str:
    body, owns_served_name = CASES[case]
    objects = desired(parse(body), samples.SETTINGS, owns_served_name=owns_served_name)
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


@pytest.mark.parametrize("case", CASES)
def test_rendered_objects_are_the_golden_ones(case: str) -> None:
    path, text = GOLDEN / f"{case}.yaml", render(case)
    if os.environ.get("QWEN3VL_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("lmdeploy", "Always"),
        ("localhost:5000/lmdeploy", "Always"),
        ("localhost:5000/lmdeploy:latest", "Always"),
        ("localhost:5000/lmdeploy:v2", "IfNotPresent"),
        ("lmdeploy@sha256:0123", "IfNotPresent"),
        ("lmdeploy:latest@sha256:0123", "Always"),
    ],
)
def test_the_pull_policy_of_an_image_does_not_depend_on_the_image_before(image: str, policy: str) -> None:
    model = parse(samples.body("m", samples.LMDEPLOY | {"engine": {"image": image}}))
    [engine] = [one for one in desired(model, samples.SETTINGS, owns_served_name=True) if one["kind"] == "StatefulSet"]
    assert engine["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


def vln_options(spec: Object) -> Any:
    """What the VLN API reads from the command line that a model gives it."""
    [vln] = [
        one
        for one in desired(samples.model(spec), samples.SETTINGS, owns_served_name=True)
        if one["kind"] == "Deployment"
    ]
    return vln_command_line(vln["spec"]["template"]["spec"]["containers"][0]["args"])


def test_the_vln_api_is_told_what_the_engine_holds_and_whom_it_may_trust() -> None:
    told = vln_options(NAVIGATION | {"engine": {"name": "simulator", "contextLength": 4096}})
    assert (told.context_length, told.warm_up, told.tasks_per_key) == (4096, True, 64)
    assert [str(network) for network in told.trusted_proxies] == ["10.0.0.0/8", "fd00::7/128"]
    usual = vln_options(samples.SIMULATOR | {"navigation": {}})
    assert (usual.context_length, usual.tasks_per_key, usual.trusted_proxies) == (8192, TASKS_PER_MAKER, [])


@pytest.mark.parametrize("proxy", ["10.0.0.1/8", "1.2.3", "proxy.example", "10.0.0.0/33", ""])
def test_a_proxy_that_the_vln_api_would_not_take_is_refused(proxy: str) -> None:
    with pytest.raises(ValidationError):
        samples.model(samples.SIMULATOR | {"navigation": {"trustedProxies": [proxy]}})


@pytest.mark.parametrize("number", [0, UNFINISHED_MOST - OWNED_ONLY + 1])
def test_no_key_may_have_more_tasks_than_there_is_room_for(number: int) -> None:
    with pytest.raises(ValidationError):
        samples.model(samples.SIMULATOR | {"navigation": {"tasksPerKey": number}})


def test_a_key_may_have_as_many_tasks_as_there_is_room_for_and_the_schema_says_so() -> None:
    most = UNFINISHED_MOST - OWNED_ONLY
    assert vln_options(samples.SIMULATOR | {"navigation": {"tasksPerKey": most}}).tasks_per_key == most
    told = Navigation.model_json_schema(by_alias=True)["properties"]["tasksPerKey"]
    assert (told["minimum"], told["maximum"]) == (1, most)


def test_there_is_no_golden_file_that_nothing_renders() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_no_two_passes_render_differently(case: str) -> None:
    assert render(case) == render(case)


@pytest.mark.parametrize("case", CASES)
def test_no_key_stands_outside_the_secret(case: str) -> None:
    body, owns = CASES[case]
    model = parse(body)
    for purpose in ("engine", "vln-to-gateway", "operator-to-vln", "robot"):
        key = derive(samples.SETTINGS.internal_secret, purpose, model.namespace, model.name)
        for thing in desired(model, samples.SETTINGS, owns_served_name=owns):
            assert key not in yaml.safe_dump(thing)
    assert samples.SETTINGS.internal_secret.hex() not in repr(samples.SETTINGS)
    assert repr(samples.SETTINGS.internal_secret) not in repr(samples.SETTINGS)


def test_another_secret_gives_another_key_and_restarts_the_engine() -> None:
    model = samples.model()
    other = replace(samples.SETTINGS, internal_secret=bytes(32))
    one, two = (desired(model, settings, owns_served_name=True) for settings in (samples.SETTINGS, other))
    assert one[-1]["spec"]["template"] != two[-1]["spec"]["template"]


def test_the_hash_changes_with_the_content_alone() -> None:
    model, same = samples.model(), samples.model()
    changed = samples.model(samples.SIMULATOR | {"replicas": 2})
    hashes = [
        [
            thing["metadata"]["annotations"][names.APPLIED_HASH]
            for thing in desired(one, samples.SETTINGS, owns_served_name=True)
        ]
        for one in (model, same, changed)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0][:-1] == hashes[2][:-1]
    assert hashes[0][-1] != hashes[2][-1]


def spec_hashes(spec: Object) -> dict[str, str]:
    objects = desired(samples.model(spec), samples.SETTINGS, owns_served_name=True)
    annotated = {one["kind"]: one["metadata"]["annotations"].get(names.SPEC_HASH) for one in objects}
    return {kind: hashed for kind, hashed in annotated.items() if hashed is not None}


@pytest.mark.parametrize(
    ("change", "engine", "vln"),
    [
        ({"replicas": 2}, False, False),
        ({"paused": True}, False, False),
        ({"navigation": {"auth": "None"}}, False, True),
        ({"engine": {"name": "simulator", "contextLength": 4096}}, True, True),
        ({"engine": {"name": "simulator", "args": ["--max-body-bytes", "1"]}}, True, False),
        ({"navigation": {"tasksPerKey": 64}}, False, True),
        ({"navigation": {"trustedProxies": ["10.0.0.0/8"]}}, False, True),
        ({"servedName": "other"}, True, True),
        ({"pod": {"annotations": {"a": "b"}}}, True, True),
    ],
)
def test_the_hash_of_the_spec_is_of_what_enters_the_template(change: Object, engine: bool, vln: bool) -> None:
    before = samples.SIMULATOR | {"navigation": {}}
    old, new = spec_hashes(before), spec_hashes(before | change)
    assert set(old) == {"StatefulSet", "Deployment"}
    assert (old["StatefulSet"] != new["StatefulSet"], old["Deployment"] != new["Deployment"]) == (engine, vln)


def test_the_hash_of_the_spec_is_the_same_where_the_apiserver_has_written_the_defaults() -> None:
    """Else each field that a newer operator adds would be taken for a wish of every model's owner."""
    before = samples.SIMULATOR | {"navigation": {}}
    written = {"navigation": {"tasksPerKey": 32, "trustedProxies": [], "auth": "Keys", "replicas": 1, "ceilings": {}}}
    written["engine"] = before["engine"] | {"contextLength": samples.model(before).spec.engine.context_length}
    assert spec_hashes(before) == spec_hashes(before | written)


def test_the_hash_of_the_spec_is_the_one_of_the_operator_before() -> None:
    """Another formula restarts every model at once when the operator is upgraded: it needs a way from the old one."""
    noted = {"StatefulSet": "05d51e905f3bfb35", "Deployment": "40d90b1c590f52c6"}
    assert spec_hashes(samples.SIMULATOR | {"navigation": {}}) == noted
    rich = samples.model(samples.SIMULATOR | {"navigation": {"auth": "Keys"}, "pod": {"annotations": {"a": "b"}}})
    former = {"StatefulSet": "2969528dae22b450", "Deployment": "b03e03299686e5bb"}
    assert {kind: former_spec_hash(rich, kind) for kind in former} == former


def test_the_hash_of_the_spec_stands_on_the_object_and_never_on_its_pods() -> None:
    for thing in desired(
        samples.model(samples.SIMULATOR | {"navigation": {}}), samples.SETTINGS, owns_served_name=True
    ):
        pod = (thing.get("spec") or {}).get("template", {}).get("metadata", {})
        assert names.SPEC_HASH not in pod.get("annotations", {})


@pytest.mark.parametrize(
    ("image", "registry", "expected"),
    [
        ("docker.io/openmmlab/lmdeploy:v1", "", "docker.io/openmmlab/lmdeploy:v1"),
        ("docker.io/openmmlab/lmdeploy:v1", "mirror.example:5000/hub", "mirror.example:5000/hub/openmmlab/lmdeploy:v1"),
        ("openmmlab/lmdeploy:v1", "mirror.example/", "mirror.example/openmmlab/lmdeploy:v1"),
        ("localhost/a:1", "mirror.example", "mirror.example/a:1"),
    ],
)
def test_a_registry_of_the_installation_replaces_that_of_an_image(image: str, registry: str, expected: str) -> None:
    assert in_registry(image, registry) == expected


def of_kind(model: VisionModel, kind: str) -> list[Object]:
    return [one for one in desired(model, samples.SETTINGS, owns_served_name=True) if one["kind"] == kind]


def test_navigation_adds_objects_and_does_not_restart_the_engine() -> None:
    without, with_it = samples.model(), samples.model(samples.SIMULATOR | {"navigation": {}})
    added = [
        (one["kind"], one["metadata"]["name"]) for one in desired(with_it, samples.SETTINGS, owns_served_name=True)
    ]
    before = [
        (one["kind"], one["metadata"]["name"]) for one in desired(without, samples.SETTINGS, owns_served_name=True)
    ]
    assert set(added) - set(before) == {
        ("Service", "m-vln"),
        ("Deployment", "m-vln"),
        ("ConfigMap", "m-ceilings"),
    }
    assert of_kind(without, "StatefulSet") == of_kind(with_it, "StatefulSet")


def test_the_vln_api_is_one_at_a_time_and_no_route() -> None:
    model = samples.model(samples.SIMULATOR | {"navigation": {}})
    (deployment,) = of_kind(model, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert not of_kind(model, "HorizontalPodAutoscaler"), "of one replica there is nothing to scale"
    routed = [
        one["metadata"]["name"] for one in of_kind(model, "Service") if names.SERVED_NAME in one["metadata"]["labels"]
    ]
    assert routed == ["m-engine"]
    engine, vln = ({**one["spec"]["selector"]} for one in of_kind(model, "Service"))
    assert engine != vln


def test_no_replica_means_no_deployment() -> None:
    model = samples.model(samples.SIMULATOR | {"navigation": {"replicas": 0}})
    assert not of_kind(model, "Deployment")
    assert len(of_kind(model, "Service")) == 2


def test_ceilings_change_a_file_and_no_pod() -> None:
    def made(**ceilings: float) -> dict[str, Any]:
        model = samples.model(samples.SIMULATOR | {"navigation": {"ceilings": ceilings}})
        return {kind: of_kind(model, kind)[0] for kind in ("ConfigMap", "Deployment")}

    none, some = made(), made(linearMetersPerSecond=0.4, blindMeters=1)
    assert none["Deployment"] == some["Deployment"]
    assert json.loads(none["ConfigMap"]["data"]["ceilings.json"]) == {}
    content = some["ConfigMap"]["data"]["ceilings.json"]
    assert Ceilings.read(content.encode()).values == {"linear_meters_per_second": 0.4, "blind_meters": 1.0}
    pod = some["Deployment"]["spec"]["template"]["spec"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "ceilings")
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "ceilings")
    assert volume["configMap"] == {"name": "m-ceilings"} and "subPath" not in mount
    arguments = pod["containers"][0]["args"]
    assert arguments[arguments.index("--ceilings-file") + 1] == f"{mount['mountPath']}/ceilings.json"


def test_without_keys_none_are_mounted() -> None:
    model = samples.model(samples.SIMULATOR | {"navigation": {"auth": "None"}})
    pod = of_kind(model, "Deployment")[0]["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "recordings", "ceilings"]
    assert "--no-auth" in pod["containers"][0]["args"]


@pytest.mark.parametrize(("size", "mebibytes"), [(None, 921), ("20Gi", 18432), (1_000_000_000, 858)])
def test_recordings_stay_below_the_size_of_their_volume(size: str | int | None, mebibytes: int) -> None:
    recordings = {} if size is None else {"maxSize": size}
    model = samples.model(samples.SIMULATOR | {"navigation": {"recordings": recordings}})
    pod = of_kind(model, "Deployment")[0]["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if one["name"] == "recordings")
    arguments = pod["containers"][0]["args"]
    assert volume["emptyDir"] == {"sizeLimit": str(size or "1Gi")}
    assert arguments[arguments.index("--recordings-max-mib") + 1] == str(mebibytes)
    (mount,) = (one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "recordings")
    assert mount["mountPath"] == arguments[arguments.index("--recordings-dir") + 1] and "readOnly" not in mount


@pytest.mark.parametrize(
    ("navigation", "secret", "prefix"), [({}, "qwen3vl-robot-keys", "m."), ({"keysSecret": "mine"}, "mine", None)]
)
def test_the_vln_api_takes_the_keys_of_its_own_robots_alone(
    navigation: Object, secret: str, prefix: str | None
) -> None:
    pod = of_kind(samples.model(samples.SIMULATOR | {"navigation": navigation}), "Deployment")[0]["spec"]["template"]
    (volume,) = (one for one in pod["spec"]["volumes"] if one["name"] == "robot-keys")
    assert volume["secret"] == {"secretName": secret}
    arguments = pod["spec"]["containers"][0]["args"]
    assert ("--keys-prefix" in arguments) == (prefix is not None)
    assert prefix is None or arguments[arguments.index("--keys-prefix") + 1] == prefix


def test_another_secret_restarts_the_vln_api() -> None:
    model = samples.model(samples.SIMULATOR | {"navigation": {}})
    other = replace(samples.SETTINGS, internal_secret=bytes(32))
    templates = [
        one["spec"]["template"]
        for settings in (samples.SETTINGS, other)
        for one in desired(model, settings, owns_served_name=True)
        if one["kind"] == "Deployment"
    ]
    assert templates[0] != templates[1]


def test_the_policy_of_the_simulator_is_a_flag() -> None:
    spec = {"engine": {"name": "simulator", "simulator": {"policy": "Drive"}}}
    (engine,) = of_kind(samples.model(spec), "StatefulSet")
    arguments = engine["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--policy") + 1] == "drive"


def test_key_hashes_are_those_of_the_first_version() -> None:
    """Another hash of the same keys would restart every VLN API at once at the upgrade: a changed key is not paced."""
    model = parse(samples.body("m", NAVIGATION))
    found: dict[str, str] = {}
    for thing in desired(model, samples.SETTINGS, owns_served_name=True):
        template = (thing.get("spec") or {}).get("template") or {"metadata": {}}
        found |= template["metadata"].get("annotations") or {}
    engine, gateway, operator = (
        derive(samples.INTERNAL_SECRET, purpose, "robots", "m")
        for purpose in ("engine", "vln-to-gateway", "operator-to-vln")
    )
    assert found[f"{names.GROUP}/engine-key-hash"] == hashlib.sha256(engine.encode()).hexdigest()[:16]
    assert found[f"{names.GROUP}/vln-key-hash"] == hashlib.sha256((gateway + operator).encode()).hexdigest()[:16]
