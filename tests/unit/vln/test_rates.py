"""How many messages are taken of whom."""

import pytest

from qwen3vl_vln.edge.floods import Bucket, FrameRates, Rate
from qwen3vl_vln.errors import TooManyFramesError


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=120.0, burst=240.0)
    assert sum(bucket.take(100.0) for _ in range(1000)) == 240
    assert sum(bucket.take(101.0) for _ in range(1000)) == 120
    assert sum(bucket.take(1000.0) for _ in range(1000)) == 240, "it fills up and no further"


@pytest.mark.parametrize(("per_second", "floods"), [(900, False), (1100, True), (5000, True)])
def test_a_flood_is_one_on_average_over_three_seconds(per_second: int, floods: bool) -> None:
    rate = Rate()
    told = [rate.floods(50.0 + number / per_second) for number in range(10 * per_second)]
    assert any(told) is floods
    if floods:
        assert told.index(True) == 3000


def test_a_burst_among_silence_is_none() -> None:
    rate = Rate()
    told = [rate.floods(50.0 + 10.0 * minute) for minute in range(5) for _ in range(2900)]
    assert not any(told)


def test_frames_of_another_key_or_task_are_counted_apart() -> None:
    rates = FrameRates()
    for _ in range(240):
        rates.need("go2", "a", 7.0)
    with pytest.raises(TooManyFramesError) as caught:
        rates.need("go2", "a", 7.0)
    assert caught.value.headers() == {"retry-after": "1"}
    rates.need("go2", "b", 7.0)
    rates.need("other", "a", 7.0)
    rates.need("go2", "a", 8.0)


def test_who_has_been_quiet_is_forgotten() -> None:
    rates = FrameRates()
    for number in range(3000):
        rates.need("go2", f"task-{number}", float(number))
    assert len(rates._buckets) <= 1024
