"""A stop is kept until the server knows of it, and holds until there is another task."""

from qwen3vl_client.stopping import StopLatch


def test_kept_until_it_is_confirmed() -> None:
    latch = StopLatch()
    assert not latch.holds and latch.stop_epoch == 0
    latch.request()
    latch.greeted("walk-1")
    assert latch.holds and latch.pending and latch.stop_epoch == 1
    latch.confirmed("walk-1")
    assert latch.holds and not latch.pending and latch.stop_epoch == 0


def test_holds_until_another_task() -> None:
    latch = StopLatch()
    latch.request()
    latch.confirmed("walk-1")
    latch.greeted("walk-1")
    assert latch.holds
    latch.greeted("walk-2")
    assert not latch.holds and latch.stop_epoch == 0


def test_another_task_does_not_let_go_of_a_stop_that_nobody_confirmed() -> None:
    latch = StopLatch()
    latch.request()
    latch.greeted("walk-1")
    latch.greeted("walk-2")
    assert latch.holds and latch.pending
