"""What somebody deletes or changes by hand is put right by a living operator."""

import time

import pytest
from tests.e2e.cluster import Namespace, Object
from tests.support.figures import Figures
from tests.support.polling import eventually

GOAL_SECONDS = 2
BOUND_SECONDS = 10
CHILDREN = [
    ("statefulsets", "bystander-engine"),
    ("services", "bystander-engine"),
    ("secrets", "bystander-keys"),
]
CHANGES: list[tuple[str, str, Object]] = [
    ("statefulsets", "bystander-engine", {"spec": {"replicas": 0}}),
    ("statefulsets", "bystander-engine", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}),
    ("services", "bystander-engine", {"metadata": {"labels": {"qwen3vl.io/served-name": "other"}}}),
    ("secrets", "bystander-keys", {"data": {"engine-key": "b3RoZXI="}}),
]


def _part(whole: Object, pattern: Object) -> Object:
    """What `whole` has where `pattern` has something."""
    return {
        key: _part(whole.get(key) or {}, value) if isinstance(value, dict) else whole.get(key)
        for key, value in pattern.items()
    }


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=[kind for kind, _ in CHILDREN])
def test_a_deleted_child_comes_back(bystander: Namespace, figure: Figures, kind: str, name: str) -> None:
    before = bystander.get(kind, name)
    bystander.delete(kind, name)
    begun = time.monotonic()

    def back() -> Object:
        found = bystander.find(kind, name)
        return found if found and found["metadata"]["uid"] != before["metadata"]["uid"] else {}

    found = eventually(back, BOUND_SECONDS, f"{kind} {name} comes back")
    figure(f"deleted {kind} back after", time.monotonic() - begun, "s", goal=GOAL_SECONDS)
    assert found.get("data") == before.get("data"), "a derived key is the same again"
    bystander.wait_ready("bystander")


@pytest.mark.parametrize(
    ("kind", "name", "change"), CHANGES, ids=["replicas", "pod template", "route label", "engine key"]
)
def test_a_changed_field_is_put_back(
    bystander: Namespace, figure: Figures, kind: str, name: str, change: Object
) -> None:
    before = _part(bystander.get(kind, name), change)
    bystander.patch(kind, name, change)
    begun = time.monotonic()
    eventually(lambda: _part(bystander.get(kind, name), change) == before, BOUND_SECONDS, f"{kind} {name} is put right")
    figure(f"changed {kind} put right after", time.monotonic() - begun, "s", goal=GOAL_SECONDS)
    bystander.wait_ready("bystander")
