"""The keys of engines and VLN APIs: 16 Secrets a namespace, an entry per model and purpose. Pure.

One Secret would pass etcd's size limit with thousands of models; 16 of them hold tens of thousands."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.kube.key import Key

KIND = "ModelKeys"
SHARDS = tuple("0123456789abcdef")
ENGINE = "engine"
VLN_TO_GATEWAY = "vln-to-gateway"
OPERATOR_TO_VLN = "operator-to-vln"
PURPOSES = (ENGINE, VLN_TO_GATEWAY, OPERATOR_TO_VLN)


def secret_name(namespace: str, model: str) -> str:
    """The Secret of that namespace that has the model's keys."""
    return f"{names.MODEL_KEYS}-{hashlib.sha256(f'{namespace}/{model}'.encode()).hexdigest()[0]}"


def shard_key(namespace: str, model: str) -> Key:
    """The queue's key of that Secret."""
    return Key(namespace, secret_name(namespace, model), KIND)


def shard_keys(namespace: str) -> list[Key]:
    """The queue's keys of all of the namespace's."""
    return [Key(namespace, f"{names.MODEL_KEYS}-{shard}", KIND) for shard in SHARDS]


def entry(model: str, purpose: str) -> str:
    """Name of an entry; models' names have no '.'."""
    return f"{model}.{purpose}"


def entries(internal: bytes, namespace: str, model: str, *, navigation: bool) -> dict[str, str]:
    """The entries of one model: each key's own derivation of the internal secret."""
    purposes = PURPOSES if navigation else (ENGINE,)
    return {entry(model, purpose): derive(internal, purpose, namespace, model) for purpose in purposes}


@dataclass
class Leaving:
    """Entries whose model is gone. Each stays for one more full LIST, in case only the look was wrong."""

    def __post_init__(self) -> None:
        self._since: dict[str, int] = {}

    def kept(self, present: Iterable[str], wanted: Iterable[str], lists: int) -> set[str]:
        """Those of `present` that are not wanted but must stay for now.

        Args:
            lists: how many full LISTs of the namespace there were.
        """
        unwanted = set(present) - set(wanted)
        self._since = {name: self._since.get(name, lists) for name in unwanted}
        return {name for name, since in self._since.items() if lists <= since}
