"""Desired against live objects: what the apiserver adds or respells is no difference, what somebody changed is one."""

import copy
from typing import Any

import pytest

from qwen3vl_operator.kube.compare import contains, quantity, without_foreign_entries

SAME: list[tuple[Any, Any]] = [
    ({"a": 1}, {"a": 1, "added": 2}),
    ({"requests": {"cpu": "0.5"}}, {"requests": {"cpu": "500m"}}),
    ({"requests": {"cpu": "8"}}, {"requests": {"cpu": 8}}),
    ({"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1Gi"}}),
    ({"emptyDir": {"sizeLimit": "16384Mi"}}, {"emptyDir": {"sizeLimit": "16Gi"}}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}),
    ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
    ({"term": {"matchExpressions": []}}, {"term": {}}),
    ({"terms": [{"key": "a", "values": []}]}, {"terms": [{"key": "a"}]}),
    ({"nodeSelector": {}}, {}),
    ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP"}]}),
    ({"args": ["a", "b"]}, {"args": ["a", "b"]}),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "a", "effect": "NoExecute"}]}),
]
DIFFERENT: list[tuple[Any, Any]] = [
    ({"a": 1}, {}),
    ({"a": 1}, {"a": 2}),
    ({"a": {"b": 1}}, {"a": None}),
    ({"requests": {"cpu": "8"}}, {"requests": {"cpu": "8m"}}),
    ({"requests": {"memory": "1Gi"}}, {"requests": {"memory": "1G"}}),
    ({"value": "8"}, {"value": "8000m"}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": []}),
    ({"args": ["a", "b"]}, {"args": ["b", "a"]}),
    ({"args": []}, {"args": ["a"]}),
    ({"labelSelector": {}}, {}),
    ({"a": 0}, {}),
    ({"a": False}, {}),
    ({"args": ["a"]}, {"args": ["a", "b"]}),
    ({"volumes": [{"name": "a", "emptyDir": {}}]}, {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "a"}, {"key": "b"}]}),
]


@pytest.mark.parametrize(("desired", "live"), SAME)
def test_no_difference(desired: Any, live: Any) -> None:
    before = copy.deepcopy((desired, live))
    assert contains(live, desired)
    assert (desired, live) == before


@pytest.mark.parametrize(("desired", "live"), DIFFERENT)
def test_a_difference(desired: Any, live: Any) -> None:
    assert not contains(live, desired)


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("100m", 0.1), ("1k", 1000), ("1.5Gi", 1.5 * 2**30), ("2Ti", 2**41), ("3M", 3e6)]
)
def test_quantities(text: str, number: float) -> None:
    assert float(quantity(text)) == pytest.approx(number)


def test_entries_of_others_are_removed_from_the_last() -> None:
    desired = {
        "spec": {"ports": [{"name": "http", "port": 80}], "args": ["a"], "c": [{"name": "x", "e": [{"name": "A"}]}]}
    }
    live = {
        "spec": {
            "ports": [{"name": "http", "port": 81}, {"port": 80}, {"port": 82}],
            "args": ["b", "c"],
            "c": [{"name": "x", "e": [{"name": "B"}, {"name": "A"}]}],
            "more": [{"name": "z"}],
        }
    }
    paths = ("/spec/ports/2", "/spec/ports/0", "/spec/c/0/e/0")
    assert without_foreign_entries(desired, live) == [{"op": "remove", "path": path} for path in paths]
    assert without_foreign_entries(desired, desired) == []


def test_a_list_with_none_of_ours_is_replaced_for_it_may_have_to_have_one() -> None:
    desired = {"spec": {"ports": [{"name": "http", "port": 80}]}}
    live = {"spec": {"ports": [{"name": "http", "port": 81}, {"port": 82}]}}
    replaced = {"op": "replace", "path": "/spec/ports", "value": desired["spec"]["ports"]}
    assert without_foreign_entries(desired, live) == [replaced]


@pytest.mark.parametrize("text", ["", "Gi", "1X", "one"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)
