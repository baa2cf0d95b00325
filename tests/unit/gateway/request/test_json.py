"""Whatever is sent as JSON: it is understood in one way or refused, and the refusal names the place."""

import json

import pytest
from tests.support.asking import TEXT, chat, completion, refusal, said, written

from qwen3vl_server.gateway.request import COMPLETION_PATH

DEEP = b"[" * 100_000
DEEP_SCHEMA = b'{"a":' * 150 + b"1" + b"}" * 150


def with_field(name: bytes, value: bytes) -> bytes:
    return b'{"model":"m","messages":[{"role":"user","content":"hi"}],"' + name + b'":' + value + b"}"


BAD: dict[str, tuple[bytes, str | None, str]] = {
    "empty": (b"", None, "invalid_json"),
    "white space": (b" \n", None, "invalid_json"),
    "Python's own notation": (b"{'model': 1}", None, "invalid_json"),
    "not UTF-8": (b'{"model": "\xff"}', None, "invalid_json"),
    "overlong UTF-8": (b'{"model": "\xc0\xaf"}', None, "invalid_json"),
    "half a surrogate pair as UTF-8": (b'{"model": "\xed\xa0\x80"}', None, "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + chat(TEXT), None, "invalid_json"),
    "UTF-16": (chat(TEXT).decode().encode("utf-16"), None, "invalid_json"),
    "UTF-16 without its mark": (chat(TEXT).decode().encode("utf-16-le"), None, "invalid_json"),
    "UTF-32": (chat(TEXT).decode().encode("utf-32"), None, "invalid_json"),
    "a list": (b"[1, 2]", None, "invalid_json"),
    "a string": (b'"hi"', None, "invalid_json"),
    "null": (b"null", None, "invalid_json"),
    "a second value": (chat(TEXT) + b"{}", None, "invalid_json"),
    "a comment": (b"/* hi */" + chat(TEXT), None, "invalid_json"),
    "a comma too many": (chat(TEXT)[:-1] + b",}", None, "invalid_json"),
    "cut off": (chat(TEXT)[:-1], None, "invalid_json"),
    "a control character in a string": (b'{"model":"a\nb"}', None, "invalid_json"),
    "NaN": (with_field(b"temperature", b"NaN"), None, "invalid_json"),
    "Infinity": (with_field(b"temperature", b"Infinity"), None, "invalid_json"),
    "NaN in a schema": (with_field(b"metadata", b'{"a":NaN}'), None, "invalid_json"),
    "1e400": (with_field(b"temperature", b"1e400"), "temperature", "invalid_json"),
    "1e400 in a schema": (
        with_field(b"response_format", b'{"type":"json_schema","json_schema":{"name":"a","schema":{"maximum":1e400}}}'),
        "response_format.json_schema.schema",
        "invalid_json",
    ),
    "10 to the 400": (with_field(b"max_tokens", b"1" + b"0" * 400), "max_tokens", "invalid_request"),
    "a number of 100,000 digits": (with_field(b"seed", b"1" * 100_000), "seed", "invalid_request"),
    "a number with a leading zero": (with_field(b"n", b"01"), None, "invalid_json"),
    "half a surrogate pair": (chat({"type": "text", "text": "\ud800"}), None, "invalid_json"),
    "half a surrogate pair in a tool": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "a", "parameters": {"b": "\ud800"}}}]),
        None,
        "invalid_json",
    ),
    "100,000 levels in an unknown field": (b'{"a":' + DEEP, "a", "unknown_field"),
    "900 levels in an unknown field": (with_field(b"x", b"[" * 900 + b"]" * 900), "x", "unknown_field"),
    "100,000 levels in metadata": (with_field(b"metadata", DEEP), None, "invalid_json"),
    "100,000 levels in stop": (with_field(b"stop", DEEP + b"]" * 100_000), None, "invalid_json"),
    "100,000 levels in messages": (b'{"messages":' + DEEP, "messages[0]", "invalid_request"),
    "150 levels in a schema": (
        with_field(
            b"response_format",
            b'{"type":"json_schema","json_schema":{"name":"a","schema":' + DEEP_SCHEMA + b"}}",
        ),
        "response_format.json_schema.schema",
        "invalid_request",
    ),
    "a schema that is a list": (
        with_field(b"response_format", b'{"type":"json_schema","json_schema":{"name":"a","schema":[]}}'),
        "response_format.json_schema.schema",
        "invalid_request",
    ),
    "no model and no messages": (b"{}", "messages", "invalid_request"),
    "a model that is a number": (chat(TEXT, model=5), "model", "invalid_request"),
    "a model without a name": (chat(TEXT, model=""), "model", "invalid_request"),
    "no messages": (b'{"model":"m"}', "messages", "invalid_request"),
    "messages null": (b'{"model":"m","messages":null}', "messages", "invalid_request"),
    "empty messages": (b'{"model":"m","messages":[]}', "messages", "invalid_request"),
    "messages as a string": (chat(messages="hi"), "messages", "invalid_request"),
    "messages as an object": (chat(messages={"role": "user"}), "messages", "invalid_request"),
    "a message as a string": (chat(messages=["hi"]), "messages[0]", "invalid_request"),
    "a message as a list": (said([]), "messages[0]", "invalid_request"),
    "a message without role": (said({"content": "hi"}), "messages[0]", "invalid_request"),
    "a role null": (said({"role": None, "content": "hi"}), "messages[0].role", "invalid_request"),
    "role robot": (said({"role": "robot", "content": "hi"}), "messages[0].role", "invalid_request"),
    "role User": (said({"role": "User", "content": "hi"}), "messages[0].role", "invalid_request"),
    "role function": (said({"role": "function", "content": "1", "name": "f"}), "messages[0].role", "invalid_request"),
    "content as a number": (said({"role": "user", "content": 5}), "messages[0].content", "invalid_request"),
    "content as an object": (said({"role": "user", "content": TEXT}), "messages[0].content", "invalid_request"),
    "no content": (said({"role": "user"}), "messages[0].content", "invalid_request"),
    "content null": (said({"role": "system", "content": None}), "messages[0].content", "invalid_request"),
    "content []": (said({"role": "user", "content": []}), "messages[0].content", "invalid_request"),
    "a part as a string": (chat("hi"), "messages[0].content[0]", "invalid_request"),
    "a part as null": (chat(None), "messages[0].content[0]", "invalid_request"),
    "a part without type": (chat({"text": "hi"}), "messages[0].content[0]", "invalid_request"),
    "a text part without text": (chat({"type": "text"}), "messages[0].content[0].text", "invalid_request"),
    "a text part with a number": (chat({"type": "text", "text": 5}), "messages[0].content[0].text", "invalid_request"),
    "100,000 messages": (chat(messages=[{"role": "user", "content": "hi"}] * 100_000), None, "too_many_values"),
    "2,049 messages": (chat(messages=[{"role": "user", "content": "hi"}] * 2_049), "messages", "too_many_values"),
    "4,097 parts": (chat(*[TEXT] * 4_097), "messages[0]", "too_many_values"),
    "a text of 5 MB": (chat({"type": "text", "text": "x" * 5_000_000}), None, "text_too_long"),
    "an unknown field of 33 MB": (b'{"x":[' + b"{}," * 11_000_000 + b"{}]}", None, "text_too_long"),
    "a name of 3 MB": (b'{"' + b"x" * 3_000_000 + b'":1}', "x" * 100, "unknown_field"),
    "a dropped field of 2 MB": (with_field(b"user", b'"' + b"x" * 2_000_000 + b'"'), "user", "invalid_request"),
    "17 stops": (chat(TEXT, stop=["a"] * 17), "stop", "invalid_request"),
    "an empty stop among others": (chat(TEXT, stop=["a", ""]), "stop[1]", "invalid_request"),
    "129 tools": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "a"}}] * 129),
        "tools",
        "invalid_request",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_json_is_refused_with_its_place(name: str) -> None:
    body, param, code = BAD[name]
    error = refusal(body)
    assert (error.param, error.code) == (param, code), str(error)


BAD_PROMPTS: dict[str, tuple[bytes, str]] = {
    "none": (b'{"model":"m"}', "prompt"),
    "null": (completion(prompt=None), "prompt"),
    "empty": (completion(prompt=""), "prompt"),
    "an empty list": (completion(prompt=[]), "prompt"),
    "a list with an empty one": (completion(prompt=["a", ""]), "prompt[1]"),
    "tokens": (completion(prompt=[1, 2]), "prompt[0]"),
    "lists of tokens": (completion(prompt=[[1, 2]]), "prompt[0]"),
    "129 of them": (completion(prompt=["a"] * 129), "prompt"),
}


@pytest.mark.parametrize("name", BAD_PROMPTS)
def test_a_prompt_is_text(name: str) -> None:
    body, param = BAD_PROMPTS[name]
    error = refusal(body, COMPLETION_PATH)
    assert (error.param, error.code) == (param, "invalid_request"), str(error)


def test_of_equal_keys_the_last_one_counts_for_both_sides() -> None:
    body = b'{"model":"x","temperature":1,"messages":[{"role":"user","content":"a","content":"b"}],'
    body += b'"temperature":0.5,"model":"y","tools":[{"type":"function","function":{"name":"f","parameters":'
    body += b'{"a":1,"a":2}}}]}'
    assert written(body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "b"}],
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 2}}}],
    }


def test_of_two_lists_of_messages_the_last_one_is_the_request() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":[' + b'{"type":"video_url","video_url":{"url":"file:///x"}}'
    )
    body += b']}],"messages":[{"role":"user","content":"hi"}]}'
    assert written(body)["messages"] == [{"role": "user", "content": "hi"}]


def test_keys_and_kinds_may_be_written_with_escapes() -> None:
    body = (
        b'{"mod\\u0065l":"m","messages":[{"r\\u006fle":"us\\u0065r","content":[{"type":"t\\u0065xt","text":"\\/"}]}]}'
    )
    assert written(body)["messages"] == [{"role": "user", "content": [{"type": "text", "text": "/"}]}]


def test_a_schema_of_100_levels_passes() -> None:
    schema: dict[str, object] = {}
    for _ in range(99):
        schema = {"items": schema, "brackets": '[[{{\\"'}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert written(chat(TEXT, response_format=form))["response_format"] == form


def test_text_of_any_script_passes_as_it_is() -> None:
    text = 'é 你好 🤖 \u2028 \x7f \x00 " \\ / \n'
    for ascii_only in (True, False):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}, ensure_ascii=ascii_only)
        assert written(body.encode())["messages"][0]["content"] == text


def test_2048_messages_and_4096_parts_pass() -> None:
    assert len(written(chat(messages=[{"role": "user", "content": [TEXT, TEXT]}] * 2_048))["messages"]) == 2_048


def test_a_prompt_of_almost_4_mib_passes() -> None:
    prompt = "x" * ((4 << 20) - 100)
    assert written(completion(prompt=prompt), COMPLETION_PATH)["prompt"] == prompt


SENTENCES = {
    "messages is a list or null, not a string": chat(messages="hi"),
    "messages[0].content is a string or a list or null, not a whole number": said({"role": "user", "content": 5}),
    "messages[0] lacks its field role": said({"content": "hi"}),
    "max_tokens is a whole number, not a string": chat(TEXT, max_tokens="many"),
    "temperature is a number <= 2.0": chat(TEXT, temperature=3),
    "stop is a list of length <= 16": chat(TEXT, stop=["a"] * 17),
    "response_format.type cannot be 'xml'": chat(TEXT, response_format={"type": "xml"}),
    "there is no field chat_template; docs/api.md lists those there are": chat(TEXT, chat_template="x"),
    "the body is an object, not a list": b"[1]",
    "a role is one of user, assistant, system, developer, tool": said({"role": "robot", "content": "hi"}),
    "the body is UTF-16; JSON is sent as UTF-8": chat(TEXT).decode().encode("utf-16"),
    "the body begins with a byte order mark; JSON has none": b"\xef\xbb\xbf" + chat(TEXT),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_refusal_says_what_would_be_right(sentence: str) -> None:
    assert str(refusal(SENTENCES[sentence])) == sentence
