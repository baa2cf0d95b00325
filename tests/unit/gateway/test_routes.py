"""The routing table as a function of EndpointSlices, or of a file's entries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.routes import table, table_from_entries


def endpoint(address: str, **conditions: bool | None) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def piece(
    name: str = "m-1",
    *endpoints: dict[str, Any],
    model: str = "m",
    served: str = "m",
    created: str = "2026-01-01T00:00:00Z",
    **labels: str,
) -> dict[str, Any]:
    marks = {"qwen3vl.io/model": model, "qwen3vl.io/served-name": served, "qwen3vl.io/engine": "simulator", **labels}
    return {
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created, "labels": marks},
        "ports": [{"name": "http", "port": 8000}],
        "endpoints": list(endpoints),
    }


@pytest.mark.parametrize(
    ("conditions", "used"),
    [
        ({"ready": True}, True),
        ({}, True),
        ({"ready": None}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": True, "terminating": True}, False),
    ],
)
def test_only_ready_endpoints_are_used(conditions: dict[str, bool | None], used: bool) -> None:
    assert table([piece("s", endpoint("10.0.0.1", **conditions))])["m"].endpoints == (
        ("10.0.0.1:8000",) if used else ()
    )


def test_ipv6_addresses_are_bracketed_and_slices_of_a_model_are_joined() -> None:
    slices = [piece("b", endpoint("fd00::1", ready=True)), piece("a", endpoint("10.0.0.1"), endpoint("10.0.0.1"))]
    assert table(slices)["m"].endpoints == ("10.0.0.1:8000", "[fd00::1]:8000")


@pytest.mark.parametrize("change", [{"endpoints": None}, {"endpoints": []}, {"ports": None}, {"ports": []}])
def test_a_slice_without_addresses_is_a_model_without_replicas(change: dict[str, object]) -> None:
    route = table([{**piece("s", endpoint("10.0.0.1")), **change}])["m"]
    assert (route.endpoints, route.served_name) == ((), "m")


def test_the_http_port_is_chosen_among_several() -> None:
    several = {**piece("s", endpoint("1.1.1.1")), "ports": [{"name": "m", "port": 1}, {"name": "http", "port": 2}]}
    assert table([several])["m"].endpoints == ("1.1.1.1:2",)


def test_labels_become_the_routes_facts_and_foreign_slices_are_ignored() -> None:
    labels = {"qwen3vl.io/context-length": "8192"}
    routes = table([piece("s", served="nice", **labels), {"metadata": {"name": "x", "namespace": "ns"}}])
    assert list(routes) == ["nice"]
    route = routes["nice"]
    assert (route.model, route.namespace, route.engine, route.context_length) == ("m", "ns", "simulator", 8192)
    assert route.created == 1_767_225_600
    assert table([piece("s", **{"qwen3vl.io/context-length": "many"})])["m"].context_length is None


@given(st.permutations(range(4)))
def test_of_two_models_with_one_name_the_older_has_it_whatever_the_order(order: list[int]) -> None:
    slices = [
        piece("new-1", endpoint("1.0.0.1"), model="new", created="2026-02-01T00:00:00Z"),
        piece("new-2", endpoint("1.0.0.2"), model="new", created="2026-03-01T00:00:00Z"),
        piece("old-1", endpoint("2.0.0.1"), model="old", created="2026-01-01T00:00:00Z"),
        piece("old-2", endpoint("2.0.0.2"), model="old", created="2026-04-01T00:00:00Z"),
    ]
    route = table([slices[number] for number in order])["m"]
    assert (route.model, route.endpoints) == ("old", ("2.0.0.1:8000", "2.0.0.2:8000"))


def test_a_file_gives_the_same_table() -> None:
    entries = [{"model": "m", "servedName": "n", "endpoints": ["h:1"], "contextLength": 5, "key": "secret"}]
    route = table_from_entries(entries, created=7)["n"]
    assert (route.endpoints, route.context_length, route.key, route.namespace) == (("h:1",), 5, "secret", "default")
    assert "secret" not in repr(route)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"model": "m"}, "list of entries"),
        ([{"endpoints": []}], "entry 0 has no model"),
        ([{"model": "m", "endpoints": "h:1"}], "list of host:port"),
        ([{"model": "m", "endpoints": ["h"]}], "list of host:port"),
        ([{"model": "m", "contextLength": "8k"}], "whole number"),
        ([{"model": "m", "key": 5}], "key is a string"),
        ([{"model": "m", "servedName": 5}], "servedName is a string"),
        ([{"model": "m"}, {"model": "m"}], "entry 1: the served name 'm' is taken"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(entries: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table_from_entries(entries, created=0)
