"""Figures of latency, in bounded memory."""

from qwen3vl_client.statistics import REMEMBERED, Recorder, Statistics


def test_before_the_first_answer() -> None:
    assert Recorder().statistics(unanswered=2, reconnects=1) == Statistics(unanswered=2, reconnects=1)


def test_percentiles_jitter_and_what_came_too_late() -> None:
    recorder = Recorder()
    for milliseconds in range(1, 101):
        recorder.took(milliseconds / 1000)
    recorder.took(0.4)
    found = recorder.statistics(unanswered=3, reconnects=0)
    assert (found.count, found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms) == (101, 51.0, 91.0, 100.0, 400.0)
    assert (found.jitter_ms, found.stale, found.unanswered) == (49.0, 1, 3)
    assert found.as_json()["p99_ms"] == 100.0


def test_memory_is_bounded_and_counts_are_of_all() -> None:
    recorder = Recorder()
    recorder.took(0.9)
    for _ in range(REMEMBERED + 10):
        recorder.took(0.001)
    found = recorder.statistics(unanswered=0, reconnects=0)
    assert len(recorder.newest) == REMEMBERED
    assert (found.count, found.max_ms, found.p99_ms, found.stale) == (REMEMBERED + 11, 900.0, 1.0, 1)
