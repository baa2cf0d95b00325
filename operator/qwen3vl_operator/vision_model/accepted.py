"""Accepted, and what UpToDate has from it: what became of each object that was wanted. Pure: functions of results."""

import re
from collections.abc import Sequence

from qwen3vl_operator.kube.conditions import Condition
from qwen3vl_operator.vision_model.observed import Outcome, Result

_WORST_FIRST = (Outcome.TAKEN, Outcome.REFUSED, Outcome.FAILED)
_LEFT_ALONE = "it does not belong to this VisionModel and is left alone: rename the model or remove the object"
FORBIDDEN = 403


def accepted(results: Sequence[Result], *, paused: bool) -> Condition:
    """Whether the objects of the newest spec could be made."""
    if paused:
        return Condition("Accepted", True, "Paused", "spec.paused is true: no object is changed")
    bad = [result for outcome in _WORST_FIRST for result in results if result.outcome is outcome]
    if not bad:
        return Condition("Accepted", True, "Valid")
    worst = bad[0]
    told = [result for result in bad if result.outcome is Outcome.TAKEN] or [worst]
    words = f"{_titles(told)}: {_LEFT_ALONE}" if worst.outcome is Outcome.TAKEN else _words(worst)
    others = _titles([result for result in bad if result not in told])
    return Condition("Accepted", False, _reason(worst), words + (f"; also not applied: {others}" if others else ""))


def withheld(results: Sequence[Result]) -> Condition | None:
    """UpToDate where an object is not as the newest spec wants it; None where all that are ours are."""
    for outcome, reason, words in (
        (Outcome.PAUSED, "Paused", "spec.paused is true, and these differ from the spec"),
        (Outcome.REFUSED, "ApplyFailed", ""),
        (Outcome.FAILED, "ApplyFailed", ""),
        (Outcome.QUEUED, "UpgradeQueued", "the operator's defaults changed, and other models are rolled out first"),
        (Outcome.WAITING, "RollingOut", "waiting for the internal keys that are mounted"),
    ):
        found = [result for result in results if result.outcome is outcome]
        if found:
            return Condition("UpToDate", False, reason, f"{words}: {_titles(found)}" if words else _words(found[0]))
    return None


def _titles(results: Sequence[Result]) -> str:
    return ", ".join(sorted(result.title for result in results))


def _words(result: Result) -> str:
    return f"{result.title}: {result.message or 'no answer of the apiserver'}"


def _reason(result: Result) -> str:
    if result.outcome is not Outcome.REFUSED:
        return "NameTaken" if result.outcome is Outcome.TAKEN else "ApplyFailed"
    if result.status == FORBIDDEN:
        return "Forbidden"
    # Kubernetes has no code for it; these are the words of its validation.
    return "Immutable" if re.search(r"immutable|updates to|can not be less than", result.message) else "InvalidSpec"
