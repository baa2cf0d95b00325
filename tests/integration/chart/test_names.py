"""No object of the chart, and no Secret shared by models, can have the name of a model's own object."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.chart.rendering import SECRETS, object_names, render

from qwen3vl_operator.names import CHILD_WORDS

MODEL_NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


@pytest.fixture(scope="module")
def names() -> set[str]:
    return object_names()


def test_these_are_all_of_the_charts_names() -> None:
    rendered = {
        item["metadata"]["name"].rpartition("-")[0] if item["kind"] == "Job" else item["metadata"]["name"]
        for item in render()
    }
    assert rendered == {
        "qwen3vl-gateway",
        "qwen3vl-migration",
        "qwen3vl-migration-internal",
        "qwen3vl-operator",
        "qwen3vl-operator-internal",
        "qwen3vl-test-picture",
        "qwen3vl-watched",
        "navtasks.qwen3vl.io",
        "visionmodels.qwen3vl.io",
    }
    assert set(SECRETS) <= object_names()


def test_none_ends_in_a_word_of_a_models_objects(names: set[str]) -> None:
    assert len(names) > 20
    for name in names:
        assert name.rpartition("-")[2] not in CHILD_WORDS, name


@given(model=MODEL_NAMES | st.sampled_from(["qwen3vl", "qwen3vl-operator", "qwen3vl-robot", "qwen3vl-model-keys"]))
def test_no_models_object_has_one_of_them(names: set[str], model: str) -> None:
    assert not {f"{model}-{word}" for word in CHILD_WORDS} & names
