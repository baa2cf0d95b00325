"""However an apiserver begins, ends or stutters: the operator waits, says for what, lives, and goes on by itself."""

import json
import time
from pathlib import Path

import pytest
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, eventually
from tests.integration.operator.conftest import (
    Operator,
    condition,
    install_crd,
    make_namespace,
    model,
    operating,
    operator_kubeconfig,
    settle,
    spawn,
    versions,
)
from tests.integration.operator.fault_proxy import Asked, Fault, fault_proxy, for_a_while
from tests.integration.operator.realm import alive
from tests.integration.operator.trouble import closed_port
from tests.support.figures import Figures

from localkube.testing import ApiServer, api_server

READY_SECONDS = 40.0
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


@pytest.mark.parametrize("case", SAID)
def test_an_apiserver_that_is_not_ready_is_waited_for(
    server: ApiServer, namespace: Namespace, tmp_path: Path, case: str, figure: Figures
) -> None:
    fault, words = SAID[case]
    rights.grant(namespace, namespace)
    namespace.create("visionmodels", model())
    with fault_proxy(server.url, server.pki) as proxy:
        proxy.rule = for_a_while(fault, UNREADY_SECONDS)
        config = rights.kubeconfig(namespace, proxy.url, server.pki, tmp_path / "kubeconfig")
        operator = spawn(config, namespace.name, tmp_path / "operator.log")
        try:
            eventually(lambda: operator.get("/healthz")[0] == 200, READY_SECONDS)
            with alive(operator):
                status, body = operator.get("/readyz")
                assert status == 503, body
                eventually(lambda: words in operator.get("/readyz")[1])
                began = time.monotonic()
                eventually(lambda: operator.health() == 200, READY_SECONDS)
                eventually(lambda: namespace.find("statefulsets", "m-engine"))
                figure(f"served after {case} for {UNREADY_SECONDS:g} s", time.monotonic() - began, "s")
        finally:
            operator.end()
    assert "Traceback" not in operator.log.read_text()


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


@pytest.mark.parametrize("resource", ["pods", "endpointslices", "secrets", "events", "visionmodels/status"])
def test_one_right_that_is_missing_is_told_where_it_is_missed(
    server: ApiServer, namespace: Namespace, tmp_path: Path, resource: str
) -> None:
    rights.grant(namespace, namespace)
    for name in ("operator", "operator-internal"):
        role = namespace.get("roles", name)
        kept = [rule for rule in role["rules"] if resource not in rule["resources"]]
        if len(kept) < len(role["rules"]):
            namespace.merge("roles", name, {"rules": kept})
    namespace.create("visionmodels", model())
    config = rights.kubeconfig(namespace, server.url, server.pki, tmp_path / "kubeconfig")
    operator = spawn(config, namespace.name, tmp_path / "operator.log")
    try:
        eventually(lambda: told_of(resource, namespace, operator), READY_SECONDS)
        assert operator.get("/healthz")[0] == 200
    finally:
        operator.end()
    assert "Traceback" not in operator.log.read_text()


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


@pytest.mark.parametrize("fault", [429, 500, 403, 401])
def test_requests_that_are_refused_for_a_while_cost_no_restart(
    server: ApiServer, namespace: Namespace, tmp_path: Path, fault: int
) -> None:
    """All requests, with all watches cut, as of an apiserver whose storage or authorizer comes up again."""
    rights.grant(namespace, namespace)
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespace, proxy.url, server.pki, tmp_path / "kubeconfig")
        operator = spawn(config, namespace.name, tmp_path / "operator.log")
        try:
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
            with alive(operator):
                asked = len(proxy.answered)
                proxy.rule = for_a_while(fault, UNREADY_SECONDS)
                proxy.cut()
                namespace.delete("services", "m-engine")
                eventually(lambda: fault in {status for _, status in proxy.answered[asked:]})
                eventually(lambda: namespace.find("services", "m-engine"), READY_SECONDS)
        finally:
            operator.end()
    assert "Traceback" not in operator.log.read_text()


def never(asked: Asked) -> Fault:
    return "hang" if not asked.is_watch else None


def test_requests_that_are_never_answered_cost_no_restart(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    rights.grant(namespace, namespace)
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespace, proxy.url, server.pki, tmp_path / "kubeconfig")
        operator = spawn(config, namespace.name, tmp_path / "operator.log")
        try:
            eventually(lambda: operator.health() == 200, READY_SECONDS)
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
            with alive(operator):
                proxy.rule = never
                namespace.delete("services", "m-engine")
                words = "no answer of the apiserver within 10 s"
                eventually(lambda: words in operator.log.read_text(), READY_SECONDS)
                proxy.rule = lambda asked: None
                eventually(lambda: namespace.find("services", "m-engine"), READY_SECONDS)
        finally:
            operator.end()
    assert "Traceback" not in operator.log.read_text()


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
