"""A stream that the engine itself declares failed, or ends too early, is no success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.gateway.engines.scripted import DONE, Run, Scripted, error_event, house, on_both_loops, stream

from qwen3vl_server.gateway.engines.stream_errors import DONE_ENGINES, first_error, is_done

WORD = b'data: {"choices": [{"delta": {"content": "hello"}}]}\n\n'
SHUTDOWN = error_event(message="EngineDeadError at /opt/vllm/secret.py", type="InternalServerError", code=500)
HARMLESS = [
    WORD,
    b'data: {"choices": [{"delta": {"content": "an error occurred"}}]}\n\n',
    b'data: {"choices": [{"delta": {"content": "{\\"error\\": 1}"}}]}\n\n',
    b'data: {"choices": [], "error": null}\n\n',
    b'data: {"choices": [{"delta": {"content": "a"}, "error": {"code": 5}}], "error": {"code": 5}}\n\n',
    b"data: error\n\n",
    b": error\n\n",
    b"event: message\ndata: an error\n\n",
]
FAILING = [
    SHUTDOWN,
    b"event: error\n" + SHUTDOWN,
    b"event:error\r\ndata: boom\r\n\r\n",
    b"event: error\n\n",
    b'data:{"error":"boom"}\n\n',
    b'data: {"error":\ndata: {"message": "boom"}}\n\n',
    error_event(message="wrong key /secret", code=401),
]


@pytest.mark.parametrize("event", HARMLESS)
def test_words_about_errors_are_no_errors(event: bytes) -> None:
    assert first_error(WORD + event + WORD) is None


@pytest.mark.parametrize("event", FAILING)
def test_an_error_event_is_found_and_its_words_are_not_kept(event: bytes) -> None:
    found = first_error(WORD + event + DONE)
    assert found is not None
    begin, error = found
    assert begin == len(WORD)
    assert (error.status, error.code, str(error)) == (
        502,
        "engine_error",
        "the engine failed in the middle of its answer",
    )


@pytest.mark.parametrize("code", [400, "400", 422])
def test_what_the_engine_calls_the_requests_fault_keeps_its_words(code: object) -> None:
    found = first_error(error_event(message="too long", type="BadRequestError", code=code))
    assert found is not None
    assert (found[1].status, str(found[1]), found[1].type) == (int(str(code)), "too long", "BadRequestError")


@given(st.lists(st.sampled_from(HARMLESS + FAILING), max_size=8))
def test_the_first_error_is_the_one_that_is_found(events: list[bytes]) -> None:
    found = first_error(b"".join(events))
    before = [event in FAILING for event in events]
    expected = len(b"".join(events[: before.index(True)])) if True in before else None
    assert (found[0] if found else None) == expected


@pytest.mark.parametrize(
    ("events", "done"),
    [
        (DONE, True),
        (b"data:[DONE]\r\n\r\n", True),
        (WORD + DONE + b": bye\n\n", True),
        (b"data: [DONE]", True),
        (b'data: {"content": "data: [DONE]"}\n\n', False),
        (b"data: [DONE] not\n\n", False),
        (WORD, False),
        (b"", False),
    ],
)
def test_what_says_that_a_stream_is_done(events: bytes, done: bool) -> None:
    assert is_done(events) is done


@on_both_loops
def test_an_engines_error_event_ends_the_stream_without_done_and_counts(run: Run) -> None:
    async def main() -> None:
        async with house(Scripted([stream(WORD, WORD, SHUTDOWN, DONE), stream(WORD + SHUTDOWN + DONE)])) as one:
            for body in (WORD + WORD, WORD):
                client = await one.ask(stream=True)
                assert (client.body, client.ended) == (body, False)
                assert client.error is not None
                assert client.error.body()["error"]["code"] == "engine_error"
                assert "secret" not in str(client.error)
            assert one.metric("upstream_errors_total", reason="error_event") == 2

    run(main())


@on_both_loops
def test_an_error_event_before_all_others_is_still_a_status(run: Run) -> None:
    async def main() -> None:
        refused = stream(error_event(message="too long", code=400), DONE)
        async with house(Scripted([stream(SHUTDOWN, DONE), refused])) as one:
            for status in (502, 400):
                client = await one.ask(stream=True)
                assert client.error is not None
                assert (client.started, client.error.status) == (False, status)

    run(main())


@on_both_loops
@pytest.mark.parametrize("engine", [*sorted(DONE_ENGINES), "transformers", "unknown"])
@pytest.mark.parametrize("events", [(), (WORD,), (WORD, b"data: [DO")])
def test_a_stream_that_ends_without_done_was_cut_where_the_engine_sends_one(
    run: Run, engine: str, events: tuple[bytes, ...]
) -> None:
    async def main() -> None:
        async with house(Scripted([stream(*events)]), engine=engine) as one:
            client = await one.ask(stream=True)
            if engine in DONE_ENGINES:
                assert client.error is not None and client.error.status == 502
                assert (client.started, client.body) == (bool(events), WORD if events else b"")
                assert one.metric("upstream_errors_total", reason="no_done") == 1
            else:
                assert (client.error, client.status, client.body) == (None, 200, b"".join(events))

    run(main())


@on_both_loops
@pytest.mark.parametrize("end", [(DONE,), (b"data: [DO", b"NE]\n\n"), (DONE, b": bye\n\n"), (b"data: [DONE]\n",)])
def test_a_stream_that_is_done_is_whole_wherever_it_is_cut(run: Run, end: tuple[bytes, ...]) -> None:
    async def main() -> None:
        async with house(Scripted([stream(WORD, *end)]), engine="vllm") as one:
            client = await one.ask(stream=True)
            assert (client.error, client.body, client.ended) == (None, WORD + b"".join(end), True)

    run(main())
