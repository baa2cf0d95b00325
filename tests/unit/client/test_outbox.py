"""What waits to be sent: the newest, and no emergency stop is lost."""

from qwen3vl_client.outbox import KEPT_SECONDS, Outbox, PendingFrame


def test_a_newer_picture_takes_the_place_of_an_older_one() -> None:
    box = Outbox()
    box.put(PendingFrame(b"old", 1.0, 1.0))
    box.put(PendingFrame(b"new", 1.1, 1.1))
    taken = box.take(1.1)
    assert taken is not None and taken.jpeg == b"new"
    assert box.take(1.1) is None


def test_a_tick_does_not_take_the_place_of_a_picture() -> None:
    box = Outbox()
    box.put(PendingFrame(b"picture", 1.0, 1.0))
    box.put(PendingFrame(None, 1.1, 1.1))
    taken = box.take(1.1)
    assert taken is not None and taken.jpeg == b"picture"


def test_flags_of_what_was_replaced_go_with_the_next() -> None:
    box = Outbox()
    box.put(PendingFrame(b"picture", 1.0, 1.0))
    box.put(PendingFrame(None, 1.1, 1.1, emergency_stop=True))
    box.put(PendingFrame(b"newer", 1.2, 1.2, force_key=True))
    box.put(PendingFrame(b"newest", 1.3, 1.3))
    taken = box.take(1.3)
    assert taken is not None and taken.jpeg == b"newest"
    assert (taken.emergency_stop, taken.force_key, taken.blocked) == (True, True, False)
    box.put(PendingFrame(None, 1.4, 1.4))
    after = box.take(1.4)
    assert after is not None and not after.emergency_stop and not after.force_key


def test_an_old_picture_is_not_sent_and_its_flags_are() -> None:
    box = Outbox()
    box.put(PendingFrame(b"old", 1.0, 1.0, blocked=True))
    assert box.take(1.01 + KEPT_SECONDS) is None
    box.put(PendingFrame(None, 9.0, 9.0))
    taken = box.take(9.0)
    assert taken is not None and taken.jpeg is None and taken.blocked


def test_a_tick_takes_the_place_of_a_picture_that_is_too_old() -> None:
    box = Outbox()
    box.put(PendingFrame(b"old", 1.0, 1.0))
    box.put(PendingFrame(None, 2.0, 2.0))
    taken = box.take(2.0)
    assert taken is not None and taken.jpeg is None


def test_a_tick_goes_where_the_picture_has_to_wait() -> None:
    box = Outbox()
    box.put(PendingFrame(b"picture", 1.0, 1.0))
    box.put(PendingFrame(None, 1.1, 1.1))
    taken = box.take(1.1, images=False)
    assert taken is not None and taken.jpeg is None
    taken = box.take(1.1)
    assert taken is not None and taken.jpeg == b"picture"
    assert box.take(1.1, images=False) is None
