"""Who gets room for a body, and when."""

from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.front.ledger import Ledger, Reservation, Verdict


def ledger(total: int = 100, share: int = 50, waiting_most: int = 10) -> Ledger:
    return Ledger(total, share, waiting_most)


def nothing() -> None:
    pass


def test_room_is_given_while_there_is_some_for_all_and_for_the_client() -> None:
    book = ledger()
    assert book.ask("a", 50, nothing).verdict is Verdict.GRANTED
    mine = book.ask("a", 1, nothing)
    assert mine.verdict is Verdict.WAITING
    assert mine.share_is_full
    assert book.ask("b", 50, nothing).verdict is Verdict.GRANTED
    other = book.ask("c", 1, nothing)
    assert other.verdict is Verdict.WAITING
    assert not other.share_is_full
    assert (book.used, book.waiting) == (100, 2)


def test_the_first_that_waits_is_the_first_that_is_served() -> None:
    book, served = ledger(), list[str]()
    first, second = book.ask("a", 50, nothing), book.ask("b", 50, nothing)
    book.ask("c", 40, lambda: served.append("large"))
    book.ask("d", 10, lambda: served.append("small"))
    first.shrink(30)
    assert served == []
    second.release()
    assert served == ["large", "small"]


def test_one_whose_share_is_full_holds_up_nobody_else() -> None:
    book, served = ledger(), list[str]()
    mine = book.ask("a", 50, nothing)
    book.ask("a", 40, lambda: served.append("mine, large"))
    book.ask("a", 1, lambda: served.append("mine, small"))
    assert book.ask("b", 50, nothing).verdict is Verdict.GRANTED
    assert served == []
    mine.release()
    assert served == ["mine, large", "mine, small"]


def test_who_stops_waiting_is_not_served_and_lets_the_next_one_in() -> None:
    book, served = ledger(), list[str]()
    book.ask("a", 50, nothing)
    first = book.ask("b", 40, nothing)
    waits = book.ask("c", 20, lambda: served.append("c"))
    book.ask("d", 10, lambda: served.append("d"))
    assert first.verdict is Verdict.GRANTED
    waits.release()
    assert (served, waits.verdict, book.used) == (["d"], Verdict.WAITING, 100)


def test_only_so_many_wait() -> None:
    book = ledger(waiting_most=1)
    book.ask("a", 50, nothing)
    assert book.ask("a", 1, nothing).verdict is Verdict.WAITING
    refused = book.ask("a", 1, nothing)
    assert refused.verdict is Verdict.FULL
    refused.release()
    assert (book.used, book.waiting) == (50, 1)


def test_those_of_a_full_client_that_wait_take_no_place_from_others() -> None:
    book = ledger(waiting_most=4)
    for _ in range(10):
        book.ask("a", 50, nothing)
    assert (book.used, book.waiting) == (50, 2)
    assert book.ask("b", 50, nothing).verdict is Verdict.GRANTED
    assert book.ask("b", 1, nothing).verdict is Verdict.WAITING
    assert book.ask("c", 1, nothing).verdict is Verdict.WAITING
    assert book.ask("d", 1, nothing).verdict is Verdict.FULL


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abc"), st.integers(0, 50)),
            st.tuples(st.just("release"), st.integers(0, 30)),
            st.tuples(st.just("shrink"), st.integers(0, 30)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_sums_are_right_and_in_the_end_nothing_is_left(steps: list[tuple[str, int]]) -> None:
    book = ledger()
    asked: list[Reservation] = []
    for what, number in steps:
        if what in ("release", "shrink") and asked:
            one = asked[number % len(asked)]
            if what == "release":
                one.release()
            elif one.verdict is Verdict.GRANTED:
                one.shrink(number)
        elif what not in ("release", "shrink"):
            asked.append(book.ask(what, number, nothing))
        held = [one for one in asked if one.verdict is Verdict.GRANTED]
        assert book.used == sum(one.size for one in held) <= 100
        for client in "abc":
            assert book.used_by(client) == sum(one.size for one in held if one.client == client) <= 50
    for one in asked:
        one.release()
        one.release()
    assert (book.used, book.waiting) == (0, 0)
