"""The routing table as a function of EndpointSlices, or of a file's entries."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.routes import Route, table, table_from_entries
from qwen3vl_server.gateway.slices import MalformedSlice, ModelSlice, read_slice


def endpoint(address: str, pod: str = "", /, **conditions: bool | None) -> dict[str, Any]:
    named = {"targetRef": {"kind": "Pod", "name": f"pod-{pod}", "uid": pod}} if pod else {}
    return {"addresses": [address], "conditions": conditions, **named}


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
        "metadata": {"name": name, "uid": name, "namespace": "ns", "creationTimestamp": created, "labels": marks},
        "ports": [{"name": "http", "port": 8000}],
        "endpoints": list(endpoints),
    }


def routes_of(things: list[Any]) -> dict[str, Route]:
    """The table of those slices that can be read."""
    found: list[ModelSlice] = []
    for thing in things:
        with contextlib.suppress(MalformedSlice):
            found += filter(None, [read_slice(thing)])
    return table(found)


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
    assert routes_of([piece("s", endpoint("10.0.0.1", **conditions))])["m"].endpoints == (
        ("10.0.0.1:8000",) if used else ()
    )


def test_ipv6_addresses_are_bracketed_and_slices_of_a_model_are_joined() -> None:
    slices = [piece("b", endpoint("fd00::1", "b")), piece("a", endpoint("10.0.0.1", "a"), endpoint("10.0.0.1", "a"))]
    assert routes_of(slices)["m"].endpoints == ("10.0.0.1:8000", "[fd00::1]:8000")


@pytest.mark.parametrize(
    ("listed", "used"),
    [
        ([endpoint("10.0.0.1", "a"), endpoint("fd00::1", "a")], ("10.0.0.1:8000",)),
        ([endpoint("fd00::1", "a"), endpoint("10.0.0.1", "a", ready=False)], ("10.0.0.1:8000",)),
        ([endpoint("fd00::1", "a"), endpoint("10.0.0.2", "b")], ("10.0.0.2:8000", "[fd00::1]:8000")),
        ([endpoint("fd00::1", "a", ready=False), endpoint("10.0.0.1", "a", ready=False)], ()),
        ([endpoint("fd00::1"), endpoint("10.0.0.1"), endpoint("10.0.0.2")], ("10.0.0.1:8000", "10.0.0.2:8000")),
        ([endpoint("fd00::1"), endpoint("fd00::2"), endpoint("10.0.0.1", ready=False)],
         ("[fd00::1]:8000", "[fd00::2]:8000")),
        ([endpoint("FD00:0::1", "a"), endpoint("fd00::1", "a")], ("[fd00::1]:8000",)),
    ],
    ids=["both", "ready by IPv6 alone", "a pod a family", "none ready", "no pods named", "nor IPv4", "spelling"],
)  # fmt: skip
def test_a_pod_of_two_address_families_is_one_replica(listed: list[dict[str, Any]], used: tuple[str, ...]) -> None:
    assert routes_of([piece(f"s{number}", one) for number, one in enumerate(listed)])["m"].endpoints == used


@pytest.mark.parametrize("pods", [("", ""), ("a", "a"), ("a", ""), ("", "a"), ("old", "new")])
@pytest.mark.parametrize("ready", [(True, False), (False, True)])
def test_an_address_in_two_slices_counts_once_and_is_ready_by_either(
    pods: tuple[str, str], ready: tuple[bool, bool]
) -> None:
    slices = [piece(f"s{number}", endpoint("10.0.0.1", pods[number], ready=ready[number])) for number in (0, 1)]
    assert routes_of(slices)["m"].endpoints == ("10.0.0.1:8000",)


MALFORMED_SLICES: list[Any] = [
    None,
    5,
    [],
    {},
    {"metadata": None},
    {"metadata": {"labels": ["x"]}},
    {"metadata": {"labels": {"qwen3vl.io/model": 5, "qwen3vl.io/served-name": "m"}}},
    piece("s", endpoint("10.9.9.9")) | {"metadata": piece()["metadata"] | {"uid": 7}},
    piece("s", endpoint("10.9.9.9")) | {"metadata": piece()["metadata"] | {"name": None}},
    piece("s", endpoint("10.9.9.9")) | {"metadata": piece()["metadata"] | {"namespace": {}}},
]
MALFORMED_ENDPOINTS: list[Any] = [
    None,
    "10.9.9.9",
    {},
    {"addresses": None},
    {"addresses": "10.9.9.9"},
    {"addresses": []},
    {"addresses": [5]},
    {"addresses": ["10.9.9.999"]},
    {"addresses": ["pod.example"]},
    {"addresses": ["10.9.9.9"], "conditions": "ready"},
    {"addresses": ["10.9.9.9"], "conditions": {"ready": "yes"}},
    {"addresses": ["10.9.9.9"], "targetRef": "pod"},
]


@pytest.mark.parametrize("wrong", MALFORMED_SLICES, ids=repr)
def test_a_malformed_slice_takes_no_other_with_it(wrong: Any) -> None:
    assert routes_of([wrong, piece("s", endpoint("10.0.0.1")), wrong])["m"].endpoints == ("10.0.0.1:8000",)


@pytest.mark.parametrize("wrong", MALFORMED_ENDPOINTS, ids=repr)
def test_a_malformed_endpoint_takes_no_other_with_it_and_is_counted(wrong: Any) -> None:
    read = read_slice(piece("s", wrong, endpoint("10.0.0.1")))
    assert read is not None
    assert ([one.address for one in read.endpoints], read.malformed) == (["10.0.0.1:8000"], 1)


@pytest.mark.parametrize("change", [{"endpoints": "x"}, {"ports": "x"}, {"ports": [None, 5]}, {"ports": [{"port": 0}]},
                                    {"ports": [{"name": "http", "port": True}]}])  # fmt: skip
def test_a_slice_whose_endpoints_cannot_be_reached_is_a_model_without_replicas(change: dict[str, Any]) -> None:
    assert routes_of([piece("s", endpoint("10.0.0.1")) | change])["m"].endpoints == ()


@pytest.mark.parametrize("created", ["", "yesterday", None, 7, "9999-12-31T23:59:59-14:00", "0001-01-01"])
def test_a_model_whose_age_cannot_be_read_takes_no_name_from_another(created: Any) -> None:
    known = piece("old", endpoint("10.0.0.1"), model="known")
    unknown = piece("new", endpoint("10.0.0.2"), model="another")
    unknown["metadata"]["creationTimestamp"] = created
    assert routes_of([unknown, known])["m"].model == "known"


PODS = st.lists(
    st.fixed_dictionaries(
        {"ready": st.booleans(), "families": st.sampled_from(["4", "6", "46"]), "twice": st.booleans()}
    ),
    max_size=12,
)


@given(
    pods=PODS,
    slices=st.integers(1, 4),
    wrong=st.lists(st.sampled_from(MALFORMED_SLICES), max_size=3),
    broken=st.lists(st.sampled_from(MALFORMED_ENDPOINTS), max_size=3),
    random=st.randoms(use_true_random=False),
)
def test_every_ready_pod_is_there_once_whatever_else_is_listed_in_whatever_order(
    pods: list[dict[str, Any]], slices: int, wrong: list[Any], broken: list[Any], random: Any
) -> None:
    listed: list[list[Any]] = [[] for _ in range(slices)]
    for number, pod in enumerate(pods):
        addresses = {"4": f"10.0.0.{number}", "6": f"fd00::{number + 1:x}"}
        for family in pod["families"] * (2 if pod["twice"] else 1):
            random.choice(listed).append(endpoint(addresses[family], str(number), ready=pod["ready"]))
    for one in broken:
        random.choice(listed).append(one)
    for endpoints in listed:
        random.shuffle(endpoints)
    things = [piece(f"s{number}", *endpoints) for number, endpoints in enumerate(listed)] + wrong
    random.shuffle(things)
    expected = sorted(
        f"10.0.0.{number}:8000" if "4" in pod["families"] else f"[fd00::{number + 1:x}]:8000"
        for number, pod in enumerate(pods)
        if pod["ready"]
    )
    found = routes_of(things)
    assert list(found["m"].endpoints) == expected
    random.shuffle(things)
    assert routes_of(things) == found


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["10.0.0.1", "http", "m"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["metadata", "labels", "uid", "name", "namespace", "endpoints", "ports", "port", "addresses",
                         "conditions", "ready", "targetRef", "qwen3vl.io/model", "qwen3vl.io/served-name"]),
        inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


@given(thing=ANYTHING, part=st.sampled_from(["metadata", "endpoints", "ports"]))
def test_nothing_that_json_can_say_breaks_the_table(thing: Any, part: str) -> None:
    good = piece("good", endpoint("10.0.0.1"), model="good", served="good")
    found = routes_of([thing, piece("s") | {part: thing}, good, {"metadata": piece()["metadata"] | {"labels": thing}}])
    assert found["good"].endpoints == ("10.0.0.1:8000",)


@pytest.mark.parametrize("change", [{"endpoints": None}, {"endpoints": []}, {"ports": None}, {"ports": []}])
def test_a_slice_without_addresses_is_a_model_without_replicas(change: dict[str, object]) -> None:
    route = routes_of([{**piece("s", endpoint("10.0.0.1")), **change}])["m"]
    assert (route.endpoints, route.served_name) == ((), "m")


def test_the_http_port_is_chosen_among_several() -> None:
    several = {**piece("s", endpoint("1.1.1.1")), "ports": [{"name": "m", "port": 1}, {"name": "http", "port": 2}]}
    assert routes_of([several])["m"].endpoints == ("1.1.1.1:2",)


def test_labels_become_the_routes_facts_and_foreign_slices_are_ignored() -> None:
    labels = {"qwen3vl.io/context-length": "8192"}
    routes = routes_of([piece("s", served="nice", **labels), {"metadata": {"name": "x", "namespace": "ns"}}])
    assert list(routes) == ["nice"]
    route = routes["nice"]
    assert (route.model, route.namespace, route.engine, route.context_length) == ("m", "ns", "simulator", 8192)
    assert route.created == 1_767_225_600
    assert routes_of([piece("s", **{"qwen3vl.io/context-length": "many"})])["m"].context_length is None


@given(st.permutations(range(4)))
def test_of_two_models_with_one_name_the_older_has_it_whatever_the_order(order: list[int]) -> None:
    slices = [
        piece("new-1", endpoint("1.0.0.1"), model="new", created="2026-02-01T00:00:00Z"),
        piece("new-2", endpoint("1.0.0.2"), model="new", created="2026-03-01T00:00:00Z"),
        piece("old-1", endpoint("2.0.0.1"), model="old", created="2026-01-01T00:00:00Z"),
        piece("old-2", endpoint("2.0.0.2"), model="old", created="2026-04-01T00:00:00Z"),
    ]
    route = routes_of([slices[number] for number in order])["m"]
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
