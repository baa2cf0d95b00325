"""What somebody deletes or changes by hand is put right by a living operator."""

import time

import pytest
from tests.support.cluster import Namespace, Object
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import SHARED_SECRETS, model_keys, secrets

GOAL_SECONDS = 2
BOUND_SECONDS = 10
SECRET_SECONDS = 30
"""Secrets are not watched, but read this often."""
CHILDREN = [
    ("statefulsets", "bystander-engine"),
    ("services", "bystander-engine"),
]
CHANGES: list[tuple[str, str, Object]] = [
    ("statefulsets", "bystander-engine", {"spec": {"replicas": 0}}),
    ("statefulsets", "bystander-engine", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}),
    ("services", "bystander-engine", {"metadata": {"labels": {"qwen3vl.io/served-name": "other"}}}),
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
    assert found["metadata"]["labels"] == before["metadata"]["labels"]
    bystander.wait_ready("bystander")


@pytest.mark.parametrize(("kind", "name", "change"), CHANGES, ids=["replicas", "pod template", "route label"])
def test_a_changed_field_is_put_back(
    bystander: Namespace, figure: Figures, kind: str, name: str, change: Object
) -> None:
    before = _part(bystander.get(kind, name), change)
    bystander.patch(kind, name, change)
    begun = time.monotonic()
    eventually(lambda: _part(bystander.get(kind, name), change) == before, BOUND_SECONDS, f"{kind} {name} is put right")
    figure(f"changed {kind} put right after", time.monotonic() - begun, "s", goal=GOAL_SECONDS)
    bystander.wait_ready("bystander")


def test_deleted_secrets_come_back_with_the_same_bytes(bystander: Namespace, figure: Figures) -> None:
    before = secrets(bystander, "bystander")
    assert set(before) == {*SHARED_SECRETS, model_keys(bystander, "bystander")}
    for name in before:
        bystander.delete("secrets", name)
    begun = time.monotonic()
    eventually(lambda: secrets(bystander, "bystander") == before, 3 * SECRET_SECONDS, "all Secrets are back")
    figure("deleted Secrets back after", time.monotonic() - begun, "s", goal=SECRET_SECONDS)
    bystander.wait_ready("bystander")


def test_a_changed_derived_key_is_put_back(bystander: Namespace, figure: Figures) -> None:
    before, name = secrets(bystander, "bystander"), model_keys(bystander, "bystander")
    bystander.patch("secrets", name, {"data": {"bystander.engine": "b3RoZXI="}})
    begun = time.monotonic()
    eventually(lambda: secrets(bystander, "bystander") == before, 3 * SECRET_SECONDS, f"{name} is put right")
    figure("changed derived key put right after", time.monotonic() - begun, "s", goal=SECRET_SECONDS)
    bystander.wait_ready("bystander")
