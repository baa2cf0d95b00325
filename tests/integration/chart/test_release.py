"""Releases by the real helm on a real apiserver: what becomes of Secrets, of rights, of a namespace that is gone."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.integration.chart.release import HelmFailed, Release, secret
from tests.integration.chart.rendering import ROOT, SECRETS, Object
from tests.integration.operator.api import Api, Namespace, eventually
from tests.integration.operator.conftest import model

FIRST_VERSION = "93406eb"
RIGHT = ("qwen3vl-internal", "qwen3vl-keys")


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The chart before the operator made users' keys."""
    command = ["git", "-C", str(ROOT), "archive", FIRST_VERSION, "charts/qwen3vl"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"this clone does not have commit {FIRST_VERSION}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "charts/qwen3vl"


def as_the_first_operator_left_it(release: Release, watched: Namespace) -> Object:
    """Its Secrets in the release's namespace and of one model; that model."""
    deployment = release.home.get("deployments", "qwen3vl-operator")
    deployment |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    release.home.create("secrets", secret("qwen3vl-internal", {"key": "x" * 32}, deployment))
    made = watched.create("visionmodels", model("m", {"engine": {"name": "simulator"}, "navigation": {}}))
    watched.create("secrets", secret("m-robot-keys", {"default": "sk-one", "go2-01": "sk-two"}, made))
    return made


def may(api: Api, account: str, verb: str, resource: str, name: str, namespace: str) -> bool:
    """What the apiserver's authorizer says."""
    attributes = {"verb": verb, "resource": resource, "name": name, "namespace": namespace}
    groups = ["system:authenticated", "system:serviceaccounts"]
    spec = {"user": f"system:serviceaccount:{account}", "groups": groups, "resourceAttributes": attributes}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = api.call("POST", "apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def test_an_upgrade_from_the_first_version_keeps_every_key(release: Release, first_version: Path) -> None:
    images = {part: {"image": {"repository": f"old.example/{part}"}} for part in ("operator", "server", "vln")}
    watched = [release.home.name, release.other.name]
    release.install(first_version, watchNamespaces=watched, **images, **{"global": {}})
    as_the_first_operator_left_it(release, release.other)
    before = {name: release.home.get("secrets", name) for name in RIGHT}
    deployments = {d["metadata"]["name"]: d["metadata"]["uid"] for d in release.home.list("deployments")}

    logged = release.upgrade(watchNamespaces=watched)

    for name in RIGHT:
        now = release.home.get("secrets", name)
        assert (now["data"], now["metadata"]["uid"]) == (before[name]["data"], before[name]["metadata"]["uid"])
        assert "ownerReferences" not in now["metadata"]
    old, new = (release.other.get("secrets", name)["data"] for name in ("m-robot-keys", "qwen3vl-robot-keys"))
    assert new == {"m.default": old["default"], "m.go2-01": old["go2-01"]}
    assert {d["metadata"]["name"]: d["metadata"]["uid"] for d in release.home.list("deployments")} == deployments
    assert release.migrations_objects() == [], "the hook's rights go with it"
    for value in ("sk-one", *old.values(), *before["qwen3vl-keys"]["data"].values()):
        assert value not in logged

    # A key that was taken back stays away; the next upgrade has nothing more to carry over.
    release.other.merge("secrets", "qwen3vl-robot-keys", {"data": {"m.go2-01": None}})
    assert "nothing to carry over" in release.upgrade(watchNamespaces=watched, operator={"image": {"tag": "next"}})
    assert release.other.get("secrets", "qwen3vl-robot-keys")["data"] == {"m.default": old["default"]}
    assert release.status().endswith("3:deployed")


def test_a_second_model_is_carried_over_beside_the_first(release: Release) -> None:
    """Server-side apply by the same manager would remove what it does not name."""
    release.install()
    release.home.create("serviceaccounts", {"metadata": {"name": "qwen3vl-migration"}})
    as_the_first_operator_left_it(release, release.home)
    release.upgrade()
    second = release.home.create("visionmodels", model("second", {"engine": {"name": "simulator"}}))
    release.home.create("secrets", secret("second-robot-keys", {"default": "sk-three"}, second))
    release.upgrade(operator={"image": {"tag": "next"}})
    found = release.home.get("secrets", "qwen3vl-robot-keys")["data"]
    assert set(found) == {"m.default", "m.go2-01", "second.default"}


def test_the_migration_tells_and_skips_a_namespace_that_it_may_not_read(release: Release) -> None:
    release.install()
    release.home.create("serviceaccounts", {"metadata": {"name": "qwen3vl-migration"}})
    done = release.migrate(release.home, f"{release.other.name},never-there")
    assert done.returncode == 1, "without its Role it cannot keep users' keys, and helm must stop"
    assert "may be repeated" in done.stderr and "Traceback" not in done.stderr
    rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": list(RIGHT), "verbs": ["get", "patch"]}]
    release.home.create("roles", {"metadata": {"name": "internal"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "qwen3vl-migration", "namespace": release.home.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "internal"}
    release.home.create("rolebindings", {"metadata": {"name": "internal"}, "roleRef": role, "subjects": [subject]})
    account = f"{release.home.name}:qwen3vl-migration"
    eventually(lambda: may(release.api, account, "get", "secrets", "qwen3vl-keys", release.home.name))
    done = release.migrate(release.home, f"{release.other.name},never-there")
    assert done.returncode == 0, done.stderr
    for namespace in (release.other.name, "never-there"):
        assert f"namespace {namespace} cannot be read and is skipped" in done.stdout + done.stderr


def test_secrets_outlive_uninstalling_and_are_taken_up_again(release: Release) -> None:
    release.install()
    made = {name: release.home.create("secrets", secret(name, {"default": name})) for name in SECRETS}
    release.upgrade(gateway={"logLevel": "debug"})
    release.uninstall()
    release.install()
    for name, one in made.items():
        now = release.home.get("secrets", name)
        assert (now["data"], now["metadata"]["uid"]) == (one["data"], one["metadata"]["uid"])


def test_what_helm_template_renders_can_be_applied_again_and_with_another_image(release: Release) -> None:
    release.apply()
    as_the_first_operator_left_it(release, release.home)
    release.home.create("secrets", secret("qwen3vl-keys", {"default": "sk-users"}))
    before = [release.home.get("secrets", name)["data"] for name in RIGHT]
    assert release.apply() == "", "the same Job has run"
    assert "carried over m.default, m.go2-01" in release.apply(operator={"image": {"tag": "next"}})
    assert [release.home.get("secrets", name)["data"] for name in RIGHT] == before
    # The rights of the migration go when the values say so, by the command of docs/secrets.md.
    release.apply(migration={"enabled": False})
    selector = "app.kubernetes.io/component=migration"
    release.kubectl("delete", "job,rolebinding,role,serviceaccount", "--selector", selector, "--wait=false")
    assert release.migrations_objects() == []


def test_the_operator_makes_its_own_secrets_and_touches_no_other(release: Release) -> None:
    release.install(watchNamespaces=[release.home.name, release.other.name])
    account, home, other = f"{release.home.name}:qwen3vl-operator", release.home.name, release.other.name
    for name in SECRETS:
        where = home if name in RIGHT else other
        for verb in ("get", "create", "patch"):
            assert may(release.api, account, verb, "secrets", name, where), (verb, name)
        for verb in ("delete", "update", "list", "watch"):
            assert not may(release.api, account, verb, "secrets", name, where), (verb, name)
    for verb in ("get", "create", "patch", "list", "watch", "delete"):
        for namespace in (home, other):
            assert not may(release.api, account, verb, "secrets", "somebodys", namespace), verb
            assert not may(release.api, account, verb, "secrets", "", namespace), verb
    assert not may(release.api, account, "get", "secrets", "qwen3vl-internal", other)


def test_any_user_of_the_cluster_reads_which_namespaces_are_watched(release: Release) -> None:
    release.install(watchNamespaces=[release.home.name, release.other.name])
    watched = release.home.get("configmaps", "qwen3vl-watched")["data"]["namespaces"]
    assert watched == f"{release.home.name},{release.other.name}"
    for verb, name, allowed in (("get", "qwen3vl-watched", True), ("get", "x", False), ("list", "", False)):
        assert may(release.api, "elsewhere:default", verb, "configmaps", name, release.home.name) is allowed


def vanish(namespace: Namespace) -> None:
    """Delete the namespace with all in it, as the controller-manager would."""
    for plural in ("roles", "rolebindings"):
        for item in namespace.list(plural):
            namespace.delete(plural, item["metadata"]["name"])
    path = f"api/v1/namespaces/{namespace.name}"
    namespace.api.call("DELETE", path)
    body = namespace.api.call("GET", path)
    namespace.api.call("PUT", f"{path}/finalize", {**body, "spec": {"finalizers": []}})


def test_helm_names_the_namespace_that_is_gone_and_changes_nothing(release: Release) -> None:
    both = [release.home.name, release.other.name]
    release.install(watchNamespaces=both)
    before = [release.home.get("deployments", f"qwen3vl-{part}") for part in ("operator", "gateway")]
    vanish(release.other)
    with pytest.raises(HelmFailed, match=f'namespaces "{release.other.name}" not found'):
        release.upgrade(watchNamespaces=both, operator={"image": {"tag": "next"}})
    assert [release.home.get("deployments", f"qwen3vl-{part}") for part in ("operator", "gateway")] == before
    release.upgrade(watchNamespaces=both[:1], operator={"image": {"tag": "next"}})
    assert release.home.get("configmaps", "qwen3vl-watched")["data"]["namespaces"] == release.home.name
    assert release.status() == "1:superseded 2:failed 3:deployed"
