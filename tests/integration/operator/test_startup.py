"""However an apiserver begins, ends or stutters: the operator waits, says for what, lives, and goes on by itself."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, eventually
from tests.integration.operator.conftest import (
    Operator,
    condition,
    has_reason,
    install_crd,
    make_namespace,
    model,
    operating,
    operator_kubeconfig,
    settle,
    spawn,
    versions,
)
from tests.integration.operator.fault_proxy import Asked, Fault, FaultProxy, fault_proxy, for_a_while
from tests.integration.operator.realm import alive
from tests.integration.operator.trouble import closed_port
from tests.support.figures import Figures

from localkube.testing import ApiServer, api_server

READY_SECONDS = 60.0
UNREADY_SECONDS = 3.0
SAID: dict[str, tuple[Fault, str]] = {
    "429": (429, "storage is (re)initializing"),
    "500": (500, "out of order"),
    "503": (503, "out of order"),
    "401": (401, "out of order"),
    "403": (403, "out of order"),
    "cut": ("cut", "no answer of the apiserver"),
    "rubbish": (b"<html>a load balancer", "answer is no JSON"),
    "empty": (b"{}", "CustomResourceDefinition"),
}


@dataclass
class Begun:
    """An operator of a namespace of its own, begun while something was amiss."""

    namespace: Namespace
    operator: Operator

    def log(self) -> str:
        return self.operator.log.read_text()

    def end(self) -> None:
        self.operator.end()
        assert "Traceback" not in self.log()


@pytest.fixture(scope="module")
def unready(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Begun]]:
    """Operators that began at the same time, each before an apiserver that was not ready in another way."""
    folder, begun = tmp_path_factory.mktemp("unready"), {}
    with contextlib.ExitStack() as stack:
        for case, (fault, _) in SAID.items():
            namespace = make_namespace(api)
            rights.grant(namespace, namespace)
            namespace.create("visionmodels", model())
            proxy = stack.enter_context(fault_proxy(server.url, server.pki))
            proxy.rule = for_a_while(fault, UNREADY_SECONDS)
            config = rights.kubeconfig(namespace, proxy.url, server.pki, folder / f"{case}.kubeconfig")
            begun[case] = Begun(namespace, spawn(config, namespace.name, folder / f"{case}.log"))
            stack.callback(begun[case].end)
        yield begun


@pytest.mark.parametrize("case", SAID)
def test_an_apiserver_that_is_not_ready_is_waited_for(unready: dict[str, Begun], case: str) -> None:
    begun, words = unready[case], SAID[case][1]
    eventually(lambda: begun.operator.get("/healthz")[0] == 200, READY_SECONDS)
    with alive(begun.operator):
        eventually(lambda: words in begun.log(), READY_SECONDS)
        eventually(lambda: begun.operator.health() == 200, READY_SECONDS)
        eventually(lambda: begun.namespace.find("statefulsets", "m-engine"), READY_SECONDS)


def test_an_apiserver_that_nobody_reaches_is_waited_for(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    rights.grant(namespace, namespace)
    namespace.create("visionmodels", model())
    port = closed_port()
    config = rights.kubeconfig(namespace, f"http://127.0.0.1:{port}", server.pki, tmp_path / "kubeconfig")
    operator = spawn(config, namespace.name, tmp_path / "operator.log")
    try:
        eventually(lambda: "no answer of the apiserver" in operator.get("/readyz")[1], READY_SECONDS)
        with alive(operator), fault_proxy(server.url, server.pki, port=port):
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
    finally:
        operator.end()
    assert "Traceback" not in operator.log.read_text()


# What lacks rights


def test_an_operator_without_any_right_says_which_and_works_once_it_has_them(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.create("visionmodels", model())
    config = rights.kubeconfig(namespace, server.url, server.pki, tmp_path / "kubeconfig")
    operator = spawn(config, namespace.name, tmp_path / "operator.log")
    try:
        words = "cannot list resource"
        eventually(lambda: words in operator.get("/readyz")[1], READY_SECONDS)
        with alive(operator):
            assert operator.health() == 503
            assert f"namespace {namespace.name} cannot be read" in operator.log.read_text()
            rights.grant(namespace, namespace)
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            eventually(lambda: namespace.find("statefulsets", "m-engine"), READY_SECONDS)
    finally:
        operator.end()
    assert "Traceback" not in operator.log.read_text()


RESOURCES = ("pods", "endpointslices", "secrets", "events", "visionmodels/status")


@pytest.fixture(scope="module")
def limited(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Begun]]:
    """Operators that began at the same time, each without another one of its rights."""
    folder, begun = tmp_path_factory.mktemp("limited"), {}
    with contextlib.ExitStack() as stack:
        for number, resource in enumerate(RESOURCES):
            namespace = make_namespace(api)
            rights.grant(namespace, namespace)
            for name in ("operator", "operator-internal"):
                rules = namespace.get("roles", name)["rules"]
                kept = [rule for rule in rules if resource not in rule["resources"]]
                namespace.merge("roles", name, {"rules": kept})
            namespace.create("visionmodels", model())
            config = rights.kubeconfig(namespace, server.url, server.pki, folder / f"{number}.kubeconfig")
            begun[resource] = Begun(namespace, spawn(config, namespace.name, folder / f"{number}.log"))
            stack.callback(begun[resource].end)
        yield begun


@pytest.mark.parametrize("resource", RESOURCES)
def test_one_right_that_is_missing_is_told_where_it_is_missed(limited: dict[str, Begun], resource: str) -> None:
    begun = limited[resource]
    eventually(lambda: told_of(resource, begun.namespace, begun.operator), READY_SECONDS)
    assert begun.operator.get("/healthz")[0] == 200


def told_of(resource: str, namespace: Namespace, operator: Operator) -> bool:
    """Whether somebody who looks at the model, or else at the operator, reads which right is missing."""
    words = "is forbidden"
    if resource == "secrets":
        told = condition(namespace, "Accepted")
        return told is not None and words in told["message"] and "qwen3vl-internal" in told["message"]
    if resource in ("events", "visionmodels/status"):
        return words in operator.log.read_text() and namespace.find("statefulsets", "m-engine") is not None
    return words in operator.get("/readyz")[1] and resource in operator.get("/readyz")[1]


# What goes away while it runs


def test_an_apiserver_that_is_started_anew_costs_no_restart_of_the_operator(tmp_path: Path, figure: Figures) -> None:
    (tmp_path / "own").mkdir()
    with api_server(tmp_path / "own") as own:
        api = Api(own.url, own.pki)
        install_crd(api)
        namespace = make_namespace(api)
        operator = spawn(
            operator_kubeconfig(own, namespace, tmp_path / "kubeconfig"), namespace.name, tmp_path / "operator.log"
        )
        try:
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
            before = settle(namespace)
            with alive(operator):
                own.stop()
                own.start()
                # What is there already stays as it is, and what changes now is seen.
                namespace.delete("services", "m-engine")
                began = time.monotonic()
                eventually(lambda: namespace.find("services", "m-engine"), READY_SECONDS)
                figure("a change seen after the apiserver's restart", time.monotonic() - began, "s", goal=35)
                after = versions(namespace)
            unchanged = [place for place in before if place[0] == "statefulsets"]
            assert [after[place] for place in unchanged] == [before[place] for place in unchanged]
        finally:
            operator.end()
    assert "Traceback" not in operator.log.read_text()


@dataclass
class Behind:
    """A running operator behind a proxy."""

    namespace: Namespace
    operator: Operator
    proxy: FaultProxy

    def is_again(self, old: str) -> bool:
        found = self.namespace.find("services", "m-engine")
        return found is not None and found["metadata"]["uid"] != old


@pytest.fixture(scope="module")
def behind(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder, namespace = tmp_path_factory.mktemp("behind"), make_namespace(api)
    rights.grant(namespace, namespace)
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespace, proxy.url, server.pki, folder / "kubeconfig")
        with operating(config, namespace.name, folder / "operator.log") as operator:
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
            yield Behind(namespace, operator, proxy)


@pytest.mark.parametrize("fault", [429, 500, 403, 401, "cut"])
def test_requests_that_are_refused_for_a_while_cost_no_restart(behind: Behind, fault: Fault) -> None:
    """All requests, with all watches cut, as of an apiserver whose storage or authorizer comes up again."""
    namespace, proxy = behind.namespace, behind.proxy
    old = eventually(lambda: namespace.find("services", "m-engine"))["metadata"]["uid"]
    with alive(behind.operator):
        asked = len(proxy.answered)
        proxy.rule = for_a_while(fault, UNREADY_SECONDS)
        proxy.cut()
        namespace.delete("services", "m-engine")
        status = fault if isinstance(fault, int) else 0
        eventually(lambda: status in {status for _, status in proxy.answered[asked:]})
        eventually(lambda: behind.is_again(old), READY_SECONDS)


def test_what_was_deleted_while_a_watch_was_begun_anew_is_noticed(behind: Behind, figure: Figures) -> None:
    """A watch that is too old begins with a list, which does not say what has gone."""
    namespace, proxy = behind.namespace, behind.proxy
    old = eventually(lambda: namespace.find("services", "m-engine"))["metadata"]["uid"]
    told = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
    expired = json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"
    asked = len(proxy.answered)

    def rule(asked: Asked) -> Fault:
        return (
            None if asked.parts[1:2] != ["services"] or not asked.is_of_informer else expired if asked.is_watch else 429
        )

    proxy.rule = rule
    proxy.cut()
    eventually(lambda: 429 in {status for _, status in proxy.answered[asked:]})
    namespace.delete("services", "m-engine")
    began = time.monotonic()
    proxy.rule = lambda asked: None
    eventually(lambda: behind.is_again(old), READY_SECONDS)
    figure("a deletion that a watch has missed", time.monotonic() - began, "s", goal=35)


def test_requests_that_are_never_answered_cost_no_restart(behind: Behind) -> None:
    namespace, proxy = behind.namespace, behind.proxy
    old = eventually(lambda: namespace.find("services", "m-engine"))["metadata"]["uid"]
    with alive(behind.operator):
        proxy.rule = lambda asked: None if asked.is_watch else "hang"
        namespace.delete("services", "m-engine")
        words = "no answer of the apiserver within 10 s"
        eventually(lambda: words in behind.operator.log.read_text(), READY_SECONDS)
        proxy.rule = lambda asked: None
        eventually(lambda: behind.is_again(old), READY_SECONDS)


def test_a_watch_that_ends_with_an_error_ends_the_process_which_begins_anew_and_writes_nothing(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    """The one thing of the informer that cannot be gone on from: it must not go on deaf either."""
    rights.grant(namespace, namespace)
    told = {"kind": "Status", "status": "Failure", "code": 500, "message": "etcd event received with PrevKv=nil"}
    error = json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespace, proxy.url, server.pki, tmp_path / "kubeconfig")
        operator = spawn(config, namespace.name, tmp_path / "operator.log")
        try:
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
            before = settle(namespace)
            proxy.rule = lambda asked: error if asked.is_watch and "statefulsets" in asked.path else None
            proxy.cut()
            eventually(lambda: operator.process.poll() is not None, READY_SECONDS)
            assert operator.process.returncode == 1
            assert "the operator ends: Error in the watch-stream" in operator.log.read_text()
        finally:
            operator.end()
        proxy.rule = lambda asked: None
        with operating(config, namespace.name, tmp_path / "second.log"):
            namespace.create("visionmodels", model("later"))
            eventually(lambda: namespace.find("statefulsets", "later-engine"))
            after = versions(namespace)
        assert {place: after[place] for place in before} == before


def test_a_namespace_that_cannot_be_listed_keeps_nobody_elsewhere_from_being_changed(
    server: ApiServer, api: Api, tmp_path: Path
) -> None:
    """Who has a served name already keeps it; a new one is not given away while an older model may have it there."""
    namespace, unread = make_namespace(api), make_namespace(api)
    for one in (namespace, unread):
        rights.grant(one, namespace)
    watched = {"QWEN3VL_NAMESPACES": f"{namespace.name},{unread.name}"}
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespace, proxy.url, server.pki, tmp_path / "kubeconfig")
        with operating(config, namespace.name, tmp_path / "operator.log", more=watched):
            namespace.create("visionmodels", model("old"))
            eventually(lambda: routed(namespace, "old") == "old")
        for fault in (500, "hang"):
            proxy.rule = lambda asked, fault=fault: fault if asked.parts[:1] == [unread.name] else None  # type: ignore[misc]
            with operating(config, namespace.name, tmp_path / "operator.log", more=watched):
                size = 2048 if fault == 500 else 4096
                namespace.merge("visionmodels", "old", {"spec": {"engine": {"contextLength": size}}})
                eventually(lambda size=size: context(namespace, "old") == str(size))  # type: ignore[misc]
                assert routed(namespace, "old") == "old"
                namespace.create("visionmodels", model(f"new-{fault}"))
                told = eventually(has_reason(namespace, "Exposed", "NamespaceUnread", f"new-{fault}"))
                assert unread.name in told["message"]
                assert routed(namespace, f"new-{fault}") is None
        proxy.rule = lambda asked: None
        with operating(config, namespace.name, tmp_path / "operator.log", more=watched):
            eventually(lambda: routed(namespace, "new-hang") == "new-hang")


def label(namespace: Namespace, name: str, word: str) -> str | None:
    """A label of the model's Service."""
    found = namespace.find("services", f"{name}-engine")
    return None if found is None else found["metadata"]["labels"].get(f"qwen3vl.io/{word}")


def routed(namespace: Namespace, name: str) -> str | None:
    return label(namespace, name, "served-name")


def context(namespace: Namespace, name: str) -> str | None:
    return label(namespace, name, "context-length")
