"""Keys outlive what people do to their Secrets: the same bytes come back, and nobody but their owners can read them."""

import base64
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, Refused, eventually
from tests.integration.operator.conftest import (
    NAVIGATION,
    Operator,
    make_namespace,
    model,
    operating,
    settle,
)
from tests.support.figures import Figures

from localkube.testing import ApiServer
from qwen3vl_operator.secrets.model_keys import secret_name

BACK_GOAL_SECONDS = 35.0
BACK_SECONDS = 90.0
"""How long is waited: on a busy machine it takes longer than the goal."""
USERS = {"QWEN3VL_USER_KEYS_SECRET": "qwen3vl-keys"}


@dataclass
class Keys:
    """A namespace whose Secrets are all there, and its operator."""

    namespace: Namespace
    kubeconfig: Path
    operator: Operator
    log: Path

    @property
    def names(self) -> list[str]:
        return ["qwen3vl-internal", secret_name(self.namespace.name, "m"), "qwen3vl-robot-keys", "qwen3vl-keys"]

    def data(self) -> dict[str, dict[str, str]]:
        """All entries by name; a Secret that is not there has none."""
        return {name: (self.namespace.find("secrets", name) or {}).get("data") or {} for name in self.names}


@pytest.fixture(scope="module")
def keys(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """With entries for robots and users that people made themselves before."""
    namespace, folder = make_namespace(api), tmp_path_factory.mktemp("secrets")
    rights.grant(namespace, namespace)
    config = rights.kubeconfig(namespace, server.url, server.pki, folder / "kubeconfig")
    log = folder / "operator.log"
    for name, entry in (("qwen3vl-robot-keys", "m.alice"), ("qwen3vl-keys", "alice")):
        namespace.create("secrets", {"metadata": {"name": name}, "stringData": {entry: f"sk-{entry}-of-her-own"}})
    with operating(config, namespace.name, log, more=USERS) as operator:
        for name in ("m", "n"):
            namespace.create("visionmodels", model(name, NAVIGATION))
        made = Keys(namespace, config, operator, log)
        for name in ("m", "n"):
            eventually(lambda name=name: namespace.find("deployments", f"{name}-vln"))  # type: ignore[misc]
        assert all(made.data().values())
        yield made


def test_no_secret_that_is_deleted_comes_back_with_other_bytes(keys: Keys, figure: Figures) -> None:
    before = keys.data()
    assert set(before["qwen3vl-robot-keys"]) == {"m.alice", "n.default"}
    assert set(before["qwen3vl-keys"]) == {"alice"}
    for name in keys.names:
        keys.namespace.delete("secrets", name)
    began = time.monotonic()
    eventually(lambda: keys.data() == before, BACK_SECONDS)
    figure("deleted Secrets back with the same bytes", time.monotonic() - began, "s", goal=BACK_GOAL_SECONDS)


def test_what_is_emptied_or_overwritten_of_ours_is_put_back_and_what_users_revoke_stays_revoked(keys: Keys) -> None:
    before = keys.data()
    for name in keys.names[1:]:
        keys.namespace.merge("secrets", name, {"data": None})
    rubbish = base64.b64encode(b"rubbish").decode()
    keys.namespace.merge("secrets", "qwen3vl-internal", {"data": {"key": rubbish}})
    eventually(lambda: set(keys.data()["qwen3vl-robot-keys"]) == {"m.default", "n.default"}, BACK_SECONDS)
    eventually(lambda: keys.data()[keys.names[1]] == before[keys.names[1]], BACK_SECONDS)
    eventually(lambda: keys.data()["qwen3vl-internal"] == before["qwen3vl-internal"], BACK_SECONDS)
    assert keys.data()["qwen3vl-robot-keys"]["n.default"] == before["qwen3vl-robot-keys"]["n.default"]
    assert keys.data()["qwen3vl-keys"] == {}
    template = keys.namespace.get("statefulsets", "m-engine")["metadata"]
    assert template["generation"] == 1, "no engine restarted"


def test_a_new_process_changes_no_secret_and_no_secret_is_logged(keys: Keys) -> None:
    versions = {name: keys.namespace.get("secrets", name)["metadata"]["resourceVersion"] for name in keys.names}
    with operating(keys.kubeconfig, keys.namespace.name, keys.log, more=USERS):
        keys.namespace.create("visionmodels", model("later", {"engine": {"name": "simulator"}}))
        eventually(lambda: keys.namespace.find("statefulsets", "later-engine"))
        after = {name: keys.namespace.get("secrets", name)["metadata"]["resourceVersion"] for name in keys.names}
    if secret_name(keys.namespace.name, "later") == keys.names[1]:
        del versions[keys.names[1]], after[keys.names[1]]
    assert after == versions
    log = keys.log.read_text()
    for name, entries in keys.data().items():
        for value in entries.values():
            assert value not in log, name
            assert base64.b64decode(value).hex() not in log, name
            with contextlib.suppress(UnicodeDecodeError):
                assert base64.b64decode(value).decode() not in log, name


def test_two_operators_that_begin_at_once_agree(server: ApiServer, api: Api, tmp_path: Path) -> None:
    """Two pods of one Deployment, as in a moment in which the old one does not know yet that it is replaced."""
    namespace = make_namespace(api)
    rights.grant(namespace, namespace)
    config = rights.kubeconfig(namespace, server.url, server.pki, tmp_path / "kubeconfig")
    namespace.create("visionmodels", model(spec=NAVIGATION))
    logs = [tmp_path / f"operator-{number}.log" for number in range(2)]
    with operating(config, namespace.name, logs[0], more=USERS), operating(config, namespace.name, logs[1], more=USERS):
        eventually(lambda: namespace.find("deployments", "m-vln"), 20)
        settle(namespace)
        found = namespace.get("deployments", "m-vln")
        assert found["metadata"]["generation"] == 1, "both derive the same keys"
    assert "has another key" not in "".join(log.read_text() for log in logs)


@pytest.mark.parametrize("verb", ["list", "watch", "delete", "deletecollection", "update"])
def test_the_operator_may_do_no_more_to_its_own_secrets_than_it_does(keys: Keys, verb: str) -> None:
    for name in ["", *keys.names]:
        assert not may(keys.namespace, verb, "secrets", name), name


def test_the_operator_reaches_no_secret_of_others(keys: Keys, server: ApiServer, api: Api) -> None:
    other = make_namespace(api)
    for namespace in (keys.namespace, other):
        namespace.create("secrets", {"metadata": {"name": "hub-token"}, "stringData": {"token": "x"}})
        for verb in ("get", "create", "patch", "delete"):
            assert not may(namespace, verb, "secrets", "hub-token", account_of=keys.namespace), verb
    other.create("secrets", {"metadata": {"name": "qwen3vl-internal"}, "stringData": {"key": "x"}})
    for name in keys.names:
        assert may(keys.namespace, "get", "secrets", name)
        assert not may(other, "get", "secrets", name, account_of=keys.namespace)
    # And by a call of its own.
    place = f"api/v1/namespaces/{keys.namespace.name}/secrets"
    mine = rights.AsOperator(server.url, server.pki, keys.kubeconfig)
    assert mine.call("GET", f"{place}/qwen3vl-internal")["data"]
    for path in (
        place,
        f"{place}/hub-token",
        f"api/v1/namespaces/{other.name}/secrets/qwen3vl-internal",
        "api/v1/nodes",
    ):
        with pytest.raises(Refused) as caught:
            mine.call("GET", path)
        assert caught.value.status == 403, path


def may(namespace: Namespace, verb: str, plural: str, name: str, account_of: Namespace | None = None) -> bool:
    """What the apiserver's authorizer says of the operator's account."""
    release = account_of or namespace
    attributes = {"namespace": namespace.name, "verb": verb, "resource": plural, "name": name}
    spec = {"user": f"system:serviceaccount:{release.name}:qwen3vl-operator", "resourceAttributes": attributes}
    spec["groups"] = ["system:serviceaccounts", f"system:serviceaccounts:{release.name}", "system:authenticated"]
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = namespace.api.call("POST", "apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])
