"""The keys of robots: one Secret a namespace, entries `<model>.<client>`. Pure.

The operator makes `<model>.default` where a model has no entry at all; every other entry is the users' own, and so is
this one once somebody has changed it."""

from collections.abc import Iterable, Mapping

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object, spec_of

KIND = "RobotKeys"
DEFAULT_CLIENT = "default"
PURPOSE = "robot"


def robot_keys_key(namespace: str) -> Key:
    """The queue's key of the namespace's Secret."""
    return Key(namespace, names.ROBOT_KEYS, KIND)


def prefix(model: str) -> str:
    """What the names of the model's entries begin with; models' names have no '.'."""
    return f"{model}."


def default_entry(model: str) -> str:
    return f"{prefix(model)}{DEFAULT_CLIENT}"


def wants_default(model: Object) -> bool:
    """Whether the VisionModel's robots need keys that nobody but the operator provides."""
    navigation = spec_of(model).get("navigation")
    if not isinstance(navigation, dict):
        return False
    return navigation.get("keysSecret") is None and navigation.get("auth", "Keys") == "Keys"


def has_key(model: str, present: Iterable[str]) -> bool:
    """Whether the model's robots have a key among these entries."""
    return any(name.startswith(prefix(model)) for name in present)


def made(internal: bytes, namespace: str, model: str) -> str:
    """The key that the operator makes."""
    return derive(internal, PURPOSE, namespace, model)


def ours(internal: bytes, namespace: str, models: Iterable[Object], present: Mapping[str, str]) -> dict[str, str]:
    """The entries that the operator applies for these models.

    Args:
        present: what the Secret holds now.
    """
    result = {}
    for name in (model["metadata"]["name"] for model in models if wants_default(model)):
        key = made(internal, namespace, name)
        if present.get(default_entry(name)) == key or not has_key(name, present):
            result[default_entry(name)] = key
    return result


def left_over(internal: bytes, namespace: str, present: Mapping[str, str]) -> dict[str, str]:
    """Entries of the Secret that the operator once made, for whatever model."""
    found = ((name, name.removesuffix(f".{DEFAULT_CLIENT}")) for name in present)
    return {
        name: present[name]
        for name, model in found
        if model != name and present[name] == made(internal, namespace, model)
    }
