"""Which fields an engine is handed, which are dropped, and which are refused by name."""

import json
from typing import Any

import pytest
from tests.support.asking import CONTEXT, TEXT, asking_path, chat, completion, refusal, said, written

from qwen3vl_server.gateway.request import CHAT_PATH, COMPLETION_PATH

ENGINES = ["lmdeploy", "vllm", "sglang", "transformers", "simulator", "unknown", "stub"]
FUNCTION = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}

INTERNAL = [
    "add_generation_prompt",
    "allowed_token_ids",
    "bad_words",
    "bootstrap_host",
    "bootstrap_port",
    "bootstrap_room",
    "cache_salt",
    "chat_template",
    "continue_final_message",
    "custom_logit_processor",
    "custom_params",
    "data_parallel_rank",
    "do_preprocess",
    "documents",
    "echo",
    "ebnf",
    "enable_thinking",
    "extra_body",
    "extra_key",
    "generation_config",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "images_config",
    "include_stop_str_in_output",
    "input_ids",
    "json_schema",
    "kv_transfer_params",
    "length_penalty",
    "logits_processors",
    "lora_path",
    "media_io_kwargs",
    "min_new_tokens",
    "min_tokens",
    "mm_processor_kwargs",
    "prompt",
    "prompt_embeds",
    "prompt_logprobs",
    "priority",
    "regex",
    "request_id",
    "return_hidden_states",
    "return_token_ids",
    "rid",
    "session_id",
    "session_params",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop_regex",
    "structured_outputs",
    "suffix",
    "truncate_prompt_tokens",
    "use_beam_search",
    "vllm_xargs",
]


@pytest.mark.parametrize("name", INTERNAL)
def test_fields_of_engines_alone_are_refused_by_name(name: str) -> None:
    error = refusal(chat(TEXT, **{name: 1}))
    assert (error.param, error.code) == (name, "unknown_field")
    assert name in str(error)


UNKNOWN: dict[str, tuple[bytes, str]] = {
    "of a message": (said({"role": "user", "content": "a", "foo": 1}), "messages[0].foo"),
    "of a part": (chat(TEXT, {**TEXT, "foo": 1}), "messages[0].content[1].foo"),
    "of a call": (
        said({"role": "assistant", "tool_calls": [CALL, {**CALL, "foo": 1}]}),
        "messages[0].tool_calls[1].foo",
    ),
    "of a called function": (
        said({"role": "assistant", "tool_calls": [{**CALL, "function": {**CALL["function"], "foo": 1}}]}),  # type: ignore[dict-item]  # a dict by the table above
        "messages[0].tool_calls[0].function.foo",
    ),
    "of a tool": (chat(TEXT, tools=[{**FUNCTION, "foo": 1}]), "tools[0].foo"),
    "of a function": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "f", "foo": 1}}]),
        "tools[0].function.foo",
    ),
    "of a format": (chat(TEXT, response_format={"type": "text", "foo": 1}), "response_format.foo"),
    "of a schema's envelope": (
        chat(TEXT, response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "foo": 1}}),
        "response_format.json_schema.foo",
    ),
    "of stream options": (chat(TEXT, stream=True, stream_options={"foo": 1}), "stream_options.foo"),
    "of template options": (
        chat(TEXT, chat_template_kwargs={"enable_thinking": True, "foo": 1}),
        "chat_template_kwargs.foo",
    ),
    "of a choice": (
        chat(TEXT, tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "f"}, "foo": 1}),
        "tool_choice.foo",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_field_is_refused_by_its_path(name: str) -> None:
    body, param = UNKNOWN[name]
    error = refusal(body)
    assert (error.param, error.code) == (param, "unknown_field"), str(error)


def test_a_field_named_to_confuse_the_path_is_refused_too() -> None:
    assert refusal(chat(TEXT, **{"a` - at `$.b": 1})).code in ("unknown_field", "invalid_request")


OUT_OF_BOUNDS: list[tuple[str, Any]] = [
    ("n", 0),
    ("n", 9),
    ("n", 100_000),
    ("n", 1.5),
    ("n", True),
    ("n", "1"),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", "1"),
    ("temperature", True),
    ("top_p", 0),
    ("top_p", 1.01),
    ("presence_penalty", 2.5),
    ("presence_penalty", False),
    ("frequency_penalty", -2.5),
    ("max_tokens", 0),
    ("max_tokens", -1),
    ("max_tokens", CONTEXT + 1),
    ("max_tokens", 1 << 63),
    ("max_tokens", 10**400),
    ("max_tokens", "many"),
    ("max_tokens", 5.5),
    ("seed", 1 << 63),
    ("seed", -(1 << 63) - 1),
    ("seed", 1.5),
    ("top_k", -2),
    ("top_k", 1 << 40),
    ("min_p", 1.1),
    ("repetition_penalty", 0),
    ("repetition_penalty", 3),
    ("stop", 5),
    ("stop", {}),
    ("stream", 1),
    ("stream", "yes"),
    ("stream_options", True),
]


@pytest.mark.parametrize(("name", "value"), OUT_OF_BOUNDS)
@pytest.mark.parametrize("path", [CHAT_PATH, COMPLETION_PATH])
def test_a_value_of_another_type_or_size_is_refused(path: str, name: str, value: object) -> None:
    error = refusal(asking_path(path, **{name: value}), path)
    assert (error.param, error.code) == (name, "invalid_request"), str(error)


CHAT_OUT_OF_BOUNDS: list[tuple[str, Any, str]] = [
    ("max_completion_tokens", CONTEXT + 1, "max_completion_tokens"),
    ("max_completion_tokens", 0, "max_completion_tokens"),
    ("top_logprobs", 21, "top_logprobs"),
    ("top_logprobs", -1, "top_logprobs"),
    ("top_logprobs", 5, "top_logprobs"),  # without logprobs
    ("logprobs", 1, "logprobs"),
    ("logit_bias", {"1": 101}, "logit_bias[...]"),
    ("logit_bias", {"a": 1}, "logit_bias"),
    ("logit_bias", [], "logit_bias"),
    ("logit_bias", {str(number): 1 for number in range(1_025)}, "logit_bias"),
    ("stop_token_ids", [1.5], "stop_token_ids[0]"),
    ("stop_token_ids", [-1], "stop_token_ids[0]"),
    ("stop_token_ids", [1] * 65, "stop_token_ids"),
    ("tools", {}, "tools"),
    ("tools", [{"type": "custom", "custom": {"name": "f"}}], "tools[0].type"),
    ("tools", [{"type": "function"}], "tools[0]"),
    ("tools", [{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
    ("tools", [{"type": "function", "function": {"name": "f", "parameters": []}}], "tools[0].function.parameters"),
    ("tool_choice", "required", "tool_choice"),  # without tools
    ("tool_choice", "some", "tool_choice"),
    ("tool_choice", {"type": "allowed_tools", "allowed_tools": {}}, "tool_choice.type"),
    ("parallel_tool_calls", "no", "parallel_tool_calls"),
    ("response_format", "json", "response_format"),
    ("response_format", {"type": "xml"}, "response_format.type"),
    ("response_format", {"type": "regex_schema", "regex_schema": "a"}, "response_format.type"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "a"}}, "response_format.json_schema"),
    ("reasoning_effort", "much", "reasoning_effort"),
    ("chat_template_kwargs", {"enable_thinking": "no"}, "chat_template_kwargs.enable_thinking"),
]


@pytest.mark.parametrize(("name", "value", "param"), CHAT_OUT_OF_BOUNDS)
def test_a_value_that_only_chats_have_is_bounded_too(name: str, value: object, param: str) -> None:
    error = refusal(chat(TEXT, **{name: value}))
    assert error.param == param, str(error)
    assert error.code in ("invalid_request", "unknown_field")


PASSED: list[tuple[str, Any]] = [
    ("n", 8),
    ("temperature", 2),
    ("temperature", 0.3),
    ("top_p", 1),
    ("presence_penalty", -2),
    ("frequency_penalty", 2.0),
    ("max_tokens", CONTEXT),
    ("seed", (1 << 63) - 1),
    ("seed", -(1 << 63)),
    ("top_k", -1),
    ("min_p", 0.1),
    ("repetition_penalty", 1.05),
    ("stop", "a"),
    ("stop", ["a"] * 16),
    ("logit_bias", {"151643": -100}),
    ("stop_token_ids", [151645]),
]


@pytest.mark.parametrize(("name", "value"), PASSED)
@pytest.mark.parametrize("path", [CHAT_PATH, COMPLETION_PATH])
def test_a_value_within_its_bounds_is_handed_on(path: str, name: str, value: object) -> None:
    assert written(asking_path(path, **{name: value}), path)[name] == value


WRITTEN_AS_FLOATS = [
    ("n", b"2.0", 2),
    ("max_tokens", b"776.0", 776),
    ("max_tokens", b"776.000", 776),
    ("seed", b"-1.0", -1),
    ("seed", b"9223372036854775807.0", (1 << 63) - 1),
    ("top_k", b"-1.0", -1),
]


@pytest.mark.parametrize(("name", "sent", "got"), WRITTEN_AS_FLOATS)
@pytest.mark.parametrize("path", [CHAT_PATH, COMPLETION_PATH])
def test_a_whole_number_may_be_written_as_a_float(path: str, name: str, sent: bytes, got: int) -> None:
    value = written(asking_path(path, **{name: 7}).replace(b": 7", b": " + sent), path)[name]
    assert (value, type(value)) == (got, int)


@pytest.mark.parametrize(
    ("name", "sent"), [("n", b"9.0"), ("n", b"0.0"), ("max_tokens", b"776.5"), ("seed", b"9223372036854775808.0")]
)
def test_a_number_written_as_a_float_has_the_same_bounds(name: str, sent: bytes) -> None:
    error = refusal(chat(TEXT, **{name: 7}).replace(b": 7", b": " + sent))
    assert (error.param, error.code) == (name, "invalid_request")


def test_the_numbers_that_only_one_path_has_may_be_written_as_floats_too() -> None:
    sent = written(chat(TEXT, max_completion_tokens=7.0, logprobs=True, top_logprobs=3.0))
    assert (sent["max_completion_tokens"], sent["top_logprobs"]) == (7, 3)
    assert written(completion(logprobs=5.0), COMPLETION_PATH)["logprobs"] == 5


CHAT_PASSED: dict[str, dict[str, Any]] = {
    "logprobs": {"logprobs": True, "top_logprobs": 20},
    "tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    "a tool with all its fields": {
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}},
            FUNCTION,
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    },
    "a schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"x": [1, 2.5, None, {}]}, "description": "d", "strict": False},
        }
    },
    "JSON": {"response_format": {"type": "json_object"}},
    "thinking": {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "none"},
    "usage in a stream": {"stream": True, "stream_options": {"include_usage": True}},
    "the newer name": {"max_completion_tokens": 5},
}


@pytest.mark.parametrize("name", CHAT_PASSED)
def test_a_chats_own_fields_are_handed_on(name: str) -> None:
    fields = CHAT_PASSED[name]
    assert written(chat(TEXT, **fields)) == json.loads(chat(TEXT, **fields))


NOTHING_SAID: list[tuple[str, Any]] = [
    ("user", "u"),
    ("metadata", {"a": "b"}),
    ("safety_identifier", "u"),
    ("prompt_cache_key", "k"),
    ("prompt_cache_options", {"mode": "implicit"}),
    ("prompt_cache_retention", "24h"),
    ("service_tier", "auto"),
    ("store", False),
    ("verbosity", "medium"),
    ("modalities", ["text"]),
    ("audio", None),
    ("prediction", None),
    ("web_search_options", None),
    ("moderation", None),
    ("functions", []),
    ("function_call", "auto"),
    ("tools", []),
    ("tools", None),
    ("tool_choice", "auto"),
    ("stop", []),
    ("stop", ""),
    ("stop", None),
    ("logit_bias", {}),
    ("user", None),
    ("stream_options", None),
    ("temperature", None),
    ("n", None),
    ("stream_options", {"include_usage": True}),  # without a stream
    ("top_logprobs", 0),
]


@pytest.mark.parametrize(("name", "value"), NOTHING_SAID)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_says_nothing_to_an_engine_is_dropped(engine: str, name: str, value: object) -> None:
    assert written(chat(TEXT, **{name: value}), engine=engine) == json.loads(chat(TEXT))


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"transformers"}))
def test_not_to_call_a_tool_says_nothing_where_there_is_none(engine: str) -> None:
    assert written(chat(TEXT, tool_choice="none"), engine=engine) == json.loads(chat(TEXT))
    assert refusal(chat(TEXT, tool_choice="none"), engine="transformers").code == "unsupported_field"


@pytest.mark.parametrize("options", [{}, {"include_usage": False}, {"include_obfuscation": False}])
def test_stream_options_that_say_nothing_are_dropped(options: dict[str, bool]) -> None:
    assert written(chat(TEXT, stream=True, stream_options=options)) == json.loads(chat(TEXT, stream=True))


CHANGING: list[tuple[str, Any]] = [
    ("store", True),
    ("verbosity", "low"),
    ("modalities", ["text", "audio"]),
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("prediction", {"type": "content", "content": "x" * 5_000}),
    ("web_search_options", {}),
    ("moderation", {"model": "x"}),
    ("functions", [{"name": "f"}]),
    ("function_call", {"name": "f"}),
]


@pytest.mark.parametrize(("name", "value"), CHANGING)
def test_what_would_change_the_answer_and_no_engine_has_is_refused(name: str, value: object) -> None:
    error = refusal(chat(TEXT, **{name: value}))
    assert (error.param, error.code) == (name, "unsupported_field")
    assert "no engine" in str(error)


LACKING: list[tuple[str, str, Any]] = [
    ("transformers", "n", 2),
    ("transformers", "presence_penalty", 1),
    ("transformers", "logprobs", True),
    ("transformers", "top_k", 5),
    ("transformers", "min_p", 0.1),
    ("transformers", "repetition_penalty", 1.1),
    ("transformers", "response_format", {"type": "json_object"}),
    ("transformers", "tool_choice", "none"),
    ("transformers", "parallel_tool_calls", False),
    ("lmdeploy", "parallel_tool_calls", False),
    ("lmdeploy", "stop_token_ids", [5]),
    ("lmdeploy", "reasoning_effort", "none"),
    ("simulator", "stop_token_ids", [5]),
    ("simulator", "n", 2),
    ("simulator", "logprobs", True),
    ("unknown", "stop_token_ids", [5]),
    ("unknown", "parallel_tool_calls", False),
]


@pytest.mark.parametrize(("engine", "name", "value"), LACKING)
def test_what_the_engine_lacks_is_refused_with_its_name(engine: str, name: str, value: object) -> None:
    error = refusal(chat(TEXT, **{name: value}), engine=engine)
    assert (error.param, error.code) == (name, "unsupported_field")
    assert engine in str(error)


NEUTRAL: list[tuple[str, str, Any]] = [
    ("transformers", "n", 1),
    ("transformers", "presence_penalty", 0),
    ("transformers", "logprobs", False),
    ("transformers", "response_format", {"type": "text"}),
    ("transformers", "repetition_penalty", 1.0),
    ("transformers", "reasoning_effort", "high"),
    ("simulator", "n", 1),
    ("simulator", "logprobs", False),
    ("lmdeploy", "parallel_tool_calls", True),
    ("lmdeploy", "reasoning_effort", "low"),
]


@pytest.mark.parametrize(("engine", "name", "value"), NEUTRAL)
def test_what_the_engine_does_anyway_is_dropped_where_it_lacks_the_field(engine: str, name: str, value: object) -> None:
    assert written(chat(TEXT, **{name: value}), engine=engine) == json.loads(chat(TEXT))


def test_usage_in_a_stream_is_not_asked_of_an_engine_that_always_sends_it() -> None:
    body = chat(TEXT, stream=True, stream_options={"include_usage": True})
    assert written(body, engine="transformers") == json.loads(chat(TEXT, stream=True))


def test_the_older_name_for_an_engine_that_knows_no_other_and_one_limit_alone() -> None:
    assert written(chat(TEXT, max_completion_tokens=7), engine="transformers")["max_tokens"] == 7
    both = written(chat(TEXT, max_tokens=9, max_completion_tokens=7))
    assert (both.get("max_tokens"), both["max_completion_tokens"]) == (None, 7)


COMPLETIONS: list[tuple[dict[str, Any], str | None]] = [
    ({"echo": None, "best_of": 1, "suffix": "", "user": "u"}, None),
    ({"best_of": 3}, "unsupported_field"),
    ({"suffix": "end"}, "unsupported_field"),
    ({"logprobs": 21}, "invalid_request"),
    ({"logprobs": True}, "invalid_request"),
    ({"messages": []}, "unknown_field"),
    ({"max_completion_tokens": 5}, "unknown_field"),
    ({"prompt_embeds": "AAAA"}, "unknown_field"),
]


@pytest.mark.parametrize(("changes", "code"), COMPLETIONS)
def test_a_completions_own_fields(changes: dict[str, Any], code: str | None) -> None:
    body = completion(**changes)
    if code is None:
        assert written(body, COMPLETION_PATH) == json.loads(completion())
    else:
        assert refusal(body, COMPLETION_PATH).code == code


def test_a_completion_with_echo_and_several_prompts_passes() -> None:
    body = completion(prompt=["a", "b"], echo=True, logprobs=5)
    assert written(body, COMPLETION_PATH) == json.loads(body)


def test_the_model_is_the_one_that_the_engine_is_to_be_asked_for() -> None:
    for body in (chat(TEXT, model="other"), chat(TEXT, model=None), chat(TEXT)):
        assert written(body)["model"] == "m"


MESSAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"role": "developer", "content": "a"}, {"role": "system", "content": "a"}),
    ({"role": "assistant", "content": None, "refusal": "no"}, {"role": "assistant", "content": "no"}),
    ({"role": "assistant"}, {"role": "assistant", "content": None}),
    (
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
    ),
    (
        {
            "role": "assistant",
            "content": "a",
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "tool_calls": None,
            "reasoning_content": "t",
            "gen_tokens": None,
            "parsed": {"x": 1},
        },
        {"role": "assistant", "content": "a", "reasoning_content": "t"},
    ),
    (
        {"role": "assistant", "content": "a", "reasoning": "t"},
        {"role": "assistant", "content": "a", "reasoning_content": "t"},
    ),
    (
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "index": 0}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ),
    (
        {"role": "user", "name": "bob", "content": [{**TEXT, "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "name": "bob", "content": [TEXT]},
    ),
    (
        {
            "role": "user",
            "content": [{**TEXT, "image_url": None, "video_url": None, "input_audio": None, "file": None}],
        },
        {"role": "user", "content": [TEXT]},
    ),
    (
        {"role": "assistant", "content": "", "tool_calls": [CALL], "name": None, "tool_call_id": None},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
    ),
    # As LiteLLM's library gives an answer, and sends it back.
    (
        {
            "role": "assistant",
            "content": None,
            "function_call": None,
            "provider_specific_fields": {"refusal": None},
            "tool_calls": [
                {
                    **CALL,
                    "provider_specific_fields": None,
                    "function": {"name": "f", "arguments": "{}", "provider_specific_fields": {"a": 1}},
                }
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ),
    ({"role": "user", "content": ""}, {"role": "user", "content": ""}),
    ({"role": "system", "content": "only"}, {"role": "system", "content": "only"}),
    ({"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "tool", "tool_call_id": "a", "content": "1"}),
]


@pytest.mark.parametrize(("sent", "got"), MESSAGES)
@pytest.mark.parametrize("engine", ENGINES)
def test_messages_that_libraries_send_back_become_what_engines_know(
    engine: str, sent: dict[str, Any], got: dict[str, Any]
) -> None:
    message = written(said(sent), engine=engine)["messages"][0]
    if calls := message.get("tool_calls"):
        calls[0] = {name: calls[0][name] for name in ("id", "type", "function")}
    assert message == got


@pytest.mark.parametrize(("name", "value"), [("audio", {"id": "a"}), ("function_call", {"name": "f", "arguments": ""})])
def test_parts_of_a_message_that_no_engine_takes_are_refused(name: str, value: object) -> None:
    error = refusal(said({"role": "assistant", "content": "a", name: value}))
    assert (error.param, error.code) == (f"messages[0].{name}", "unsupported_field")
