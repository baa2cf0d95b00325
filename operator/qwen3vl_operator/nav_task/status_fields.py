"""A record of the VLN API as fields of a NavTask's status. Pure."""

import datetime
from typing import Any

from qwen3vl_common.navigation.record import Record

Object = dict[str, Any]
MAX_TEXT = 600
VOLATILE = ("elapsedSeconds", "frames", "link")
"""Fields that change all the time while nothing happens: alone they are written seldom."""
VOLATILE_SECONDS = 10


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC of a time in seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def upper_camel(word: str) -> str:
    """`goal_candidate` as Kubernetes spells reasons: GoalCandidate."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_")) or "Unknown"


def facts(record: Record) -> Object:
    """What the record says, without phase, verdict and conditions."""
    steps = record.steps
    result: Object = {
        "elapsedSeconds": round(record.elapsed_seconds, 1),
        "state": record.state,
        "reason": upper_camel(record.reason),
        "message": record.message[:MAX_TEXT],
        "action": record.action,
        "environment": record.environment[:MAX_TEXT],
        "progress": round(record.progress, 3),
        "steps": {"done": steps.done, "limit": steps.limit, "summary": f"{steps.done}/{steps.limit}"},
        "deadlineMisses": record.deadline_misses,
        "frames": record.frames.model_dump(),
        "modelErrors": _present(count=record.model_errors.count, last=_cut(record.model_errors.last)),
    }
    if (step := record.last_step) is not None:
        result["lastStep"] = _present(
            index=step.index,
            action=step.action,
            frameAgeMillis=_rounded(step.frame_age_ms),
            latencyMillis=_rounded(step.latency_ms),
            at=timestamp(step.at),
        )
    if (latency := record.latency) is not None:
        result["latency"] = {
            "p50Millis": round(latency.p50_ms),
            "p95Millis": round(latency.p95_ms),
            "maxMillis": round(latency.max_ms),
        }
    if (link := record.link) is not None:
        result["link"] = {"rttP50Millis": round(link.rtt_p50_ms), "rttMaxMillis": round(link.rtt_max_ms)}
    return result


def damp_volatile(wanted: Object, previous: Object) -> Object:
    """`wanted`, but with the volatile fields of `previous` where nothing else is new and they are young enough."""
    before = previous.get("elapsedSeconds")
    if before is None or abs(wanted.get("elapsedSeconds", before) - before) >= VOLATILE_SECONDS:
        return wanted
    kept = {**wanted, **{name: previous[name] for name in VOLATILE if name in previous}}
    return kept if kept == previous else wanted


def _present(**fields: Any) -> Object:
    return {name: value for name, value in fields.items() if value is not None}


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]
