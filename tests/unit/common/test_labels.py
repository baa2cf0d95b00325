"""The rule "served name, else the object's name", whatever the spec is."""

from typing import Any

import pytest

from qwen3vl_common import labels


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"servedName": "qwen"}, "qwen"),
        ({"servedName": ""}, "m"),
        ({"servedName": None}, "m"),
        ({"servedName": 5}, "m"),
        ({}, "m"),
        (None, "m"),
        ("nonsense", "m"),
        (["servedName"], "m"),
    ],
)
def test_the_served_name_is_the_spec_s_or_the_object_s(spec: Any, name: str) -> None:
    assert labels.served_name({"metadata": {"name": "m"}, "spec": spec}) == name


def test_an_object_without_a_spec_has_its_own_name() -> None:
    assert labels.served_name({"metadata": {"name": "m"}}) == "m"


def test_the_labels_are_those_on_running_clusters() -> None:
    """A Service keeps its labels while operator and gateway are upgraded one after the other."""
    found = (labels.MODEL_LABEL, labels.SERVED_NAME_LABEL, labels.ENGINE_LABEL, labels.CONTEXT_LENGTH_LABEL)
    assert found == tuple(f"qwen3vl.io/{word}" for word in ("model", "served-name", "engine", "context-length"))
