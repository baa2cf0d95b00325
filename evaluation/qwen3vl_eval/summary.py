"""Many episodes as one set of figures. Pure."""

import random
from collections.abc import Sequence
from typing import Any

from qwen3vl_eval.episode import Episode
from qwen3vl_world.verdict import mean

RESAMPLES = 2000
CONFIDENCE = 0.95


def summary(episodes: Sequence[Episode]) -> dict[str, Any]:
    """What is reported of a run; lengths in metres, times in seconds."""
    driven = sum(episode.driven_metres for episode in episodes)
    collisions = sum(episode.collisions for episode in episodes)
    low, high = interval([(episode.collisions, episode.driven_metres) for episode in episodes])
    calls = sorted(seconds for episode in episodes for seconds in episode.model_seconds)
    states = sorted({state for episode in episodes for state in episode.seconds_in_state})
    return {
        "episodes": len(episodes),
        "success_rate": round(mean(episode.success for episode in episodes), 4),
        "oracle_success_rate": round(mean(episode.oracle for episode in episodes), 4),
        "false_goals": sum(episode.false_goal for episode in episodes),
        "spl": round(mean(episode.spl for episode in episodes), 4),
        "collisions": collisions,
        "collisions_per_metre": round(collisions / driven, 5) if driven else 0.0,
        "collisions_per_metre_interval": [round(low, 5), round(high, 5)],
        "max_blind_metres": round(max((episode.blind_metres for episode in episodes), default=0.0), 3),
        "mean_seconds": round(mean(episode.seconds for episode in episodes), 2),
        "model_calls": len(calls),
        "model_p50_seconds": round(calls[len(calls) // 2], 3) if calls else None,
        "pauses": sum(episode.pauses for episode in episodes),
        "metres": round(driven, 1),
        "seconds_in_state": {
            state: round(sum(episode.seconds_in_state.get(state, 0.0) for episode in episodes), 1) for state in states
        },
        "failed_seeds": [episode.seed for episode in episodes if not episode.success],
        "collided_seeds": [episode.seed for episode in episodes if episode.collisions],
    }


def interval(episodes: Sequence[tuple[int, float]], seed: int = 0) -> tuple[float, float]:
    """Where collisions per metre lie with 95 % confidence, by drawing whole episodes again (percentile bootstrap).

    Args:
        episodes: collisions and metres of each.
    """
    rng = random.Random(seed)  # noqa: S311 - resampling
    rates = []
    for _ in range(RESAMPLES if episodes else 0):
        drawn = rng.choices(episodes, k=len(episodes))
        metres = sum(one[1] for one in drawn)
        rates.append(sum(one[0] for one in drawn) / metres if metres else 0.0)
    if not rates:
        return 0.0, 0.0
    rates.sort()
    tail = (1 - CONFIDENCE) / 2
    return rates[int(tail * (len(rates) - 1))], rates[int((1 - tail) * (len(rates) - 1))]


def paired(base: Sequence[Episode], other: Sequence[Episode]) -> float:
    """Of the seeds without a collision in `base`, the share that collides in `other`."""
    free = {episode.seed for episode in base if not episode.collisions}
    return mean(bool(episode.collisions) for episode in other if episode.seed in free)
