"""What the queue holds: which object to look at."""

from typing import NamedTuple

from qwen3vl_operator import names


class Key(NamedTuple):
    """An object of one of our kinds."""

    namespace: str
    name: str
    kind: str = names.KIND

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def task_key(namespace: str, name: str) -> Key:
    """The key of a NavTask."""
    return Key(namespace, name, names.NAV_TASK_KIND)
