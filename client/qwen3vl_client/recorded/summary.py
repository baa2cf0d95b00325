"""What a recording tells in a few lines."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_client.recorded.read import Message


@dataclass
class Summary:
    """Counted over all messages that `take` was given. Times in seconds."""

    first: float | None = None
    last: float | None = None
    task: dict[str, Any] = field(default_factory=dict)
    frames: int = 0
    key_frames: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    call_seconds: list[float] = field(default_factory=list)
    plans: int = 0
    plan_age_seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    events: list[tuple[float, str, str]] = field(default_factory=list)
    verdict: str | None = None

    def take(self, messages: Iterable[Message]) -> None:
        """Count these too."""
        for message in messages:
            self.first = message.at if self.first is None else min(self.first, message.at)
            self.last = message.at if self.last is None else max(self.last, message.at)
            count = _COUNTING.get(message.topic)
            if count is not None:
                count(self, message)

    def _frame(self, message: Message) -> None:
        self.frames += 1
        self.key_frames += message.body["key"]
        if message.body["fault"]:
            self.faults[message.body["fault"]] += 1

    def _call(self, message: Message) -> None:
        self.calls[message.body["outcome"]] += 1
        if message.body["text"] is not None:
            self.call_seconds.append(message.body["seconds"])

    def _plan(self, message: Message) -> None:
        self.plans += 1
        self.plan_age_seconds.append(message.body["age_seconds"])

    def _answer(self, message: Message) -> None:
        self.answers[message.body["state"]] += 1

    def _event(self, message: Message) -> None:
        kind, task = message.body["kind"], message.body["task"]
        self.task = task or self.task
        self.verdict = self.task.get("verdict") or self.verdict
        if kind != "continued":
            self.events.append((message.at, kind, message.body["message"]))

    def as_json(self) -> dict[str, Any]:
        """All of it; times in seconds."""
        return {
            "robot": self.task.get("robot"),
            "instruction": self.task.get("instruction"),
            "verdict": self.verdict,
            "begin": self.first,
            "duration_seconds": 0.0 if self.first is None or self.last is None else self.last - self.first,
            "frames": self.frames,
            "key_frames": self.key_frames,
            "frame_faults": dict(self.faults),
            "model_calls": dict(self.calls),
            "model_seconds": percentiles(self.call_seconds),
            "plans": self.plans,
            "picture_to_plan_seconds": percentiles(self.plan_age_seconds),
            "answers": dict(self.answers),
            "events": [{"at": at, "kind": kind, "message": message} for at, kind, message in self.events],
        }


_COUNTING = {
    "/frames": Summary._frame,
    "/model": Summary._call,
    "/plans": Summary._plan,
    "/answers": Summary._answer,
    "/events": Summary._event,
}


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95 % and the largest; None of nothing."""
    if not values:
        return None
    ordered, last = sorted(values), len(values) - 1
    return {"p50": ordered[last // 2], "p95": ordered[min(last, int(0.95 * len(ordered)))], "max": ordered[-1]}


def table(summary: Summary) -> str:
    """For people."""
    facts = summary.as_json()
    rows = [
        ("robot", facts["robot"] or "?"),
        ("instruction", facts["instruction"] or "?"),
        ("verdict", facts["verdict"] or "none yet"),
        ("duration", f"{facts['duration_seconds']:.1f} s"),
        ("frames", f"{summary.frames} looked at, {summary.key_frames} key frames{_counted(summary.faults, '; ')}"),
        ("model calls", f"{sum(summary.calls.values())}{_counted(summary.calls, ': ')}"),
        ("model time", _times(facts["model_seconds"])),
        ("plans", f"{summary.plans}; from picture to plan {_times(facts['picture_to_plan_seconds'])}"),
        ("answers", f"{sum(summary.answers.values())}{_counted(summary.answers, ': ')}"),
    ]
    lines = [f"{name:12} {text}" for name, text in rows]
    begin = summary.first or 0.0
    lines += [f"{'':12} {at - begin:8.2f} s  {kind}  {message}".rstrip() for at, kind, message in summary.events]
    return "\n".join(lines)


def _counted(counts: Counter[str], before: str) -> str:
    return before + ", ".join(f"{name} {count}" for name, count in counts.most_common()) if counts else ""


def _times(of: dict[str, float] | None) -> str:
    return "-" if of is None else ", ".join(f"{name} {seconds:.2f} s" for name, seconds in of.items())
