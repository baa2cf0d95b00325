"""Whose turn it is when the operator's own defaults changed: a few models at a time, oldest first. Time is an argument.

A change of a spec is never queued, and neither are models without replicas and paused ones: those never ask."""

from dataclasses import dataclass, field

from qwen3vl_operator.kube.key import Key

FIRST_LOOK_SECONDS = 60.0
"""Nobody begins before every namespace was listed and every model in it was looked at once, for which one is the oldest
is not known before; but what cannot be looked at holds up the others no longer than that."""

Precedence = tuple[str, str]


@dataclass
class Rollouts:
    """Turns of all models of the operator.

    Attributes:
        max_concurrent: how many models are rolled out at the same time.
    """

    max_concurrent: int = 1
    _first_looks: dict[Key, float] = field(default_factory=dict)
    _waiting: dict[Key, Precedence] = field(default_factory=dict)
    _running: dict[Key, float] = field(default_factory=dict)

    def expect(self, key: Key, now: float) -> None:
        """The model, or a namespace that may have models, is there and was not looked at yet."""
        self._first_looks.setdefault(key, now + FIRST_LOOK_SECONDS)

    def looked_at(self, key: Key) -> bool:
        """It was looked at now, or is gone; whether it was the last one of those expected."""
        return self._first_looks.pop(key, None) is not None and not self._first_looks

    def may_begin(self, key: Key, precedence: Precedence, now: float) -> bool:
        """Whether it is the model's turn; else it waits and is given by `next` later."""
        self._waiting[key] = precedence
        if key in self._running:
            return True
        if any(until > now for other, until in self._first_looks.items() if other != key):
            return False
        # One whose time is over holds up nobody, even where its end cannot be told: its passes may break.
        running = sum(until > now for until in self._running.values())
        return running < self.max_concurrent and key == self._oldest()

    def began(self, key: Key, until: float | None) -> None:
        """Its objects were applied; `until`: when it is waited for no longer, None: it is not waited for at all."""
        self._waiting.pop(key, None)
        if until is not None:
            self._running[key] = until

    def until(self, key: Key) -> float | None:
        """When the running rollout of that model is waited for no longer; None where there is none."""
        return self._running.get(key)

    def withdrawn(self, key: Key) -> None:
        """Nothing of it is to be rolled out any more; or nothing can be now, and it asks again."""
        self._waiting.pop(key, None)

    def settled(self, key: Key) -> bool:
        """It is Ready, or waited for no longer, or gone; whether a turn came free by that."""
        self._waiting.pop(key, None)
        return self._running.pop(key, None) is not None

    def next(self) -> list[Key]:
        """The models whose turn it may be now; to be looked at."""
        free = self.max_concurrent - len(self._running)
        return sorted(self._waiting, key=self._waiting.__getitem__)[: max(free, 0)]

    def _oldest(self) -> Key:
        return min(self._waiting, key=self._waiting.__getitem__)
