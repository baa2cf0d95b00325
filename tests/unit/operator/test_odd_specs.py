"""What is read of a spec that nobody has parsed yet: another version of the schema may have let anything through."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator import samples

from qwen3vl_operator.indexes import INDEXES
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.resources import spec_of, text_at
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.kube.trim import trim
from qwen3vl_operator.routing import concerned

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("name", "x")), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(("servedName", "navigation", "modelRef", "robot", "state", "engine"))
SPECS = VALUES | st.dictionaries(FIELDS, VALUES, max_size=4)


@given(SPECS, SPECS, st.sampled_from((api.VISION_MODELS, api.NAV_TASKS)))
def test_the_store_takes_any_spec_and_finds_the_object_until_it_is_gone(first: Any, then: Any, resource: Any) -> None:
    store = Store(INDEXES, trim)
    for version, spec in enumerate((first, then), start=1):
        thing = samples.body("odd", resourceVersion=str(version)) | {"spec": spec, "kind": resource.kind}
        change = store.put(resource, thing)
        assert change is not None
        keys = list(concerned(change, store))
        assert (keys[0].name, keys[0].kind) == ("odd", resource.kind)
    gone = samples.body("odd", resourceVersion="3") | {"kind": resource.kind}
    change = store.remove(resource, gone)
    assert change is not None
    assert list(concerned(change, store))
    assert list(store.all(resource)) == []


@given(SPECS)
def test_a_text_of_a_spec_is_a_text(spec: Any) -> None:
    assert isinstance(spec_of({"spec": spec}), dict)
    for path in (("robot",), ("modelRef", "name")):
        assert isinstance(text_at({"spec": spec}, *path), str)
