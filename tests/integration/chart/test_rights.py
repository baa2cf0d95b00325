"""What the parts may do: each namespace its own Role, Secrets by their names, nothing in the whole cluster."""

import re

import pytest
from tests.integration.chart.rendering import ROOT, SECRETS, Object, is_hook, named, of_kind, render

RELEASE_SECRETS = {"qwen3vl-internal", "qwen3vl-keys"}


@pytest.fixture(scope="module")
def defaults() -> list[Object]:
    return render()


def secret_rules(role: Object) -> list[Object]:
    return [rule for rule in role["rules"] if "secrets" in rule["resources"]]


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


def test_the_operator_reaches_secrets_by_name_alone_and_deletes_none(defaults: list[Object]) -> None:
    reached: dict[str, set[str]] = {}
    for role in of_kind(defaults, "Role"):
        if is_hook(role):
            continue
        for rule in secret_rules(role):
            assert rule["resources"] == ["secrets"], role["metadata"]["name"]
            assert rule["verbs"] == ["get", "create", "patch"], role["metadata"]["name"]
            reached[role["metadata"]["name"]] = set(rule["resourceNames"])
    assert reached == {
        "qwen3vl-operator": set(SECRETS) - RELEASE_SECRETS,
        "qwen3vl-operator-internal": RELEASE_SECRETS,
    }


def test_the_migrations_rights_come_and_go_with_it(defaults: list[Object]) -> None:
    hooks = [item for item in defaults if is_hook(item) and item["kind"] != "Pod"]
    assert sorted(item["kind"] for item in hooks) == [
        *("Job", "Role", "Role", "RoleBinding", "RoleBinding", "ServiceAccount")
    ]
    for item in hooks:
        annotations = item["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-upgrade"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        weight = int(annotations["helm.sh/hook-weight"])
        assert (weight == 0) if item["kind"] == "Job" else (weight < 0), "rights come first"
    for role in of_kind(hooks, "Role"):
        for rule in secret_rules(role):
            assert not {"list", "watch", "delete"} & set(rule["verbs"])
            assert "resourceNames" in rule or rule["verbs"] == ["get"]
    assert not any(is_hook(item) for item in render(migration={"enabled": False}) if item["kind"] != "Pod")


def test_the_migrations_job_has_another_name_when_it_runs_something_else() -> None:
    """What applies manifests without helm would ask to change a Job's template, which Kubernetes refuses."""

    def jobs(**values: Object) -> set[str]:
        return {item["metadata"]["name"] for item in of_kind(render(**values), "Job")}

    names = jobs() | jobs(operator={"image": {"tag": "7"}}) | jobs(operator={"logLevel": "debug"})
    assert len(names) == 3
    assert jobs() < names
    for name in names:
        assert re.fullmatch(r"qwen3vl-migration-[0-9a-f]{8}", name)


def test_everybody_in_the_cluster_may_read_what_is_watched_and_nothing_else(defaults: list[Object]) -> None:
    wanted = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["qwen3vl-watched"], "verbs": ["get"]}
    assert named(defaults, "Role", "qwen3vl-watched")["rules"] == [wanted]
    for binding in of_kind(defaults, "RoleBinding"):
        groups = [one for one in binding["subjects"] if one["kind"] != "ServiceAccount"]
        if binding["metadata"]["name"] == "qwen3vl-watched":
            group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}
            assert binding["subjects"] == [group]
        else:
            assert groups == []


def test_the_life_of_every_secret_is_documented() -> None:
    """docs/secrets.md has a table with a row for each and a column for each way in which one may get lost."""
    text = (ROOT / "docs/secrets.md").read_text().partition("## Their lives")[2]
    head, _, *body = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    for situation in ("upgrade", "--force", "uninstall + install", "kubectl apply", "by hand", "backup", "rotation"):
        assert any(situation in cell.lower() for cell in head), situation
    for row in body:
        assert len(row) == len(head), row[0]
        assert all(cell.strip() for cell in row), row[0]
    documented = " ".join(row[0] for row in body)
    for name in SECRETS:
        assert re.sub(r"model-keys-[0-9a-f]$", "model-keys-", name) in documented, name
    for old in ("<model>-keys", "<model>-robot-keys"):
        assert old in documented
