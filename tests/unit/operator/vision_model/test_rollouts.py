"""Whose turn it is: oldest first, few at a time, nobody for ever."""

from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.vision_model.rollouts import FIRST_LOOK_SECONDS, Rollouts

A, B, C = (Key("robots", name) for name in "abc")


def test_one_at_a_time_the_oldest_first() -> None:
    turns = Rollouts(1)
    turns.expect(A, 0)
    turns.expect(B, 0)
    assert not turns.may_begin(B, ("2026", "b"), 1), "A was not looked at yet, and may be older"
    assert not turns.looked_at(B)
    assert turns.may_begin(A, ("2025", "a"), 1)
    turns.began(A, 100)
    assert turns.looked_at(A), "the last one: those that wait may be asked"
    assert turns.next() == []
    assert not turns.may_begin(B, ("2026", "b"), 2)
    assert turns.settled(A)
    assert turns.next() == [B]
    assert turns.may_begin(B, ("2026", "b"), 3)


def test_one_that_is_not_waited_for_leaves_its_turn_to_the_next() -> None:
    turns = Rollouts(1)
    assert turns.may_begin(A, ("2025", "a"), 0)
    turns.began(A, None)
    assert turns.may_begin(B, ("2026", "b"), 0)


def test_a_model_that_cannot_be_looked_at_holds_up_nobody_for_long() -> None:
    turns = Rollouts(1)
    turns.expect(A, 0)
    assert not turns.may_begin(B, ("2026", "b"), FIRST_LOOK_SECONDS - 1)
    assert turns.may_begin(B, ("2026", "b"), FIRST_LOOK_SECONDS + 1)


def test_nobody_begins_before_each_namespace_is_listed() -> None:
    turns, place = Rollouts(1), Key("robots", "", "Namespace")
    turns.expect(place, 0)
    assert not turns.may_begin(B, ("2026", "b"), 1), "an older one may be in it"
    turns.expect(A, 1)
    assert not turns.looked_at(place), "its models are known now, but not looked at"
    assert not turns.may_begin(B, ("2026", "b"), 1)
    assert turns.may_begin(A, ("2025", "a"), 2)


def test_what_need_not_be_rolled_out_any_more_holds_up_nobody() -> None:
    turns = Rollouts(1)
    turns.may_begin(A, ("2025", "a"), 0)
    assert not turns.may_begin(B, ("2026", "b"), 0)
    turns.withdrawn(A)
    assert turns.may_begin(B, ("2026", "b"), 0)


def test_one_whose_end_nobody_can_tell_holds_up_nobody_beyond_its_time() -> None:
    turns = Rollouts(1)
    assert turns.may_begin(A, ("2025", "a"), 0)
    turns.began(A, 100)
    assert not turns.may_begin(B, ("2026", "b"), 99)
    assert turns.may_begin(B, ("2026", "b"), 101)


@given(most=st.integers(1, 3), order=st.permutations(range(6)))
def test_never_more_than_allowed_and_all_in_the_end(most: int, order: list[int]) -> None:
    turns = Rollouts(most)
    waiting = {number: Key("n", str(number)) for number in order}
    running: list[int] = []
    done: list[int] = []
    for key in waiting.values():
        turns.expect(key, 0)
    for number, key in waiting.items():
        turns.may_begin(key, (str(number), ""), 0)
        turns.looked_at(key)
    while waiting or running:
        for number, key in list(waiting.items()):
            if turns.may_begin(key, (str(number), ""), 0):
                turns.began(key, 1e9)
                running.append(number)
                del waiting[number]
        assert len(running) <= most
        assert running, "somebody's turn it is always"
        number = running.pop(0)
        turns.settled(Key("n", str(number)))
        done.append(number)
    assert sorted(done) == list(range(6))
    assert most > 1 or done == sorted(done)
