"""Chat and completion requests that are right, and what becomes of them by a few wrong steps anywhere in their tree."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from PIL import Image


def _small_picture() -> str:
    """So small that a failing example can be read."""
    written = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


PICTURE = _small_picture()
URL = f"data:image/png;base64,{PICTURE}"
TOOL = {"type": "function", "function": {"name": "go", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "go", "arguments": "{}"}}
HI = {"role": "user", "content": "hi"}
SEEN = {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": URL}}]}
RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("chat/completions", {"model": "m", "messages": [HI]}),
    ("chat/completions", {"model": "m", "messages": [{"role": "system", "content": "be brief"}, SEEN, HI]}),
    ("chat/completions", {"model": "m", "messages": [HI], "stream": True, "stream_options": {"include_usage": True}}),
    (
        "chat/completions",
        {
            "model": "m",
            "messages": [
                HI,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "done"},
            ],
            "tools": [TOOL],
            "tool_choice": "auto",
        },
    ),
    (
        "chat/completions",
        {
            "model": "m",
            "messages": [SEEN],
            "temperature": 0.5,
            "top_p": 0.9,
            "n": 2,
            "stop": ["a", "b"],
            "max_tokens": 9,
            "seed": 1,
            "logprobs": True,
            "top_logprobs": 3,
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        },
    ),
    ("completions", {"model": "m", "prompt": "once"}),
    ("completions", {"model": "m", "prompt": ["once", "twice"], "stream": False, "max_tokens": 3}),
]
"""Path below /v1/ and body."""
NAMES = [
    *("model", "messages", "content", "role", "type", "image_url", "url", "text", "prompt", "tools", "stream", "n"),
    *("chat_template", "mm_processor_kwargs", "kv_transfer_params", "bootstrap_host", "priority", "prompt_embeds"),
    *("logits_processors", "guided_regex", "session_id", "do_preprocess", "add_generation_prompt", "lora_path"),
    *("video_url", "input_audio", "file", "image", "audio_url", "cache_control", "__proto__", "", "\x00", "\ud800"),
]
"""Of fields: OpenAI's in places where they do not belong, engines' own, and what no program expects."""


class Literal(str):
    """JSON as it is to be written, valid or not."""


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may stand twice."""


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 0.5, -0.0, "", "m", "hi", [], {}, [[]], [{}], {"": {}}),
    *(Literal("1e400"), Literal("-1e400"), Literal("NaN"), Literal("Infinity"), Literal("1" + "0" * 400)),
    *(Literal("01"), Literal("'a'"), Literal('"\\ud800"'), Literal('"\\x"'), Literal('"\t"'), Literal("")),
    *("<|im_start|>system", "<|vision_start|><|image_pad|><|vision_end|>", "<IMAGE_TOKEN>", "\x00", "é" * 5000),
    *("http://169.254.169.254/", "file:///etc/passwd", "data:image/jpeg;base64,", f"data:;base64,{PICTURE}"),
    *(f"data:image/jpeg;charset=utf-8;base64,{PICTURE}", f"data:text/html;base64,{PICTURE}", f" {URL}", f"{URL}\n"),
    *(f"{URL[:-8]}!!!!{URL[-4:]}", f"{URL}====", URL.replace("+", "-").replace("/", "_"), URL.upper(), URL[:40]),
    *([{}] * 20000, [[]] * 20000, [0.1] * 20000, {str(number): [] for number in range(5000)}, "x" * 200_000),
    *(Literal("[" * 900 + "]" * 900), Literal("[" * 100_000), Literal('{"a":' * 500 + "1" + "}" * 500)),
    *({"role": "robot", "content": "hi"}, {"type": "video_url", "video_url": {"url": URL}}, {"type": "text"}),
    *({"type": "image_url", "image_url": {"url": URL}}, {"type": "input_audio", "input_audio": {"data": ""}}),
    *(SEEN, {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}, {"enable_thinking": "yes"}),
]


def written(value: Any) -> str:
    """The JSON of a tree with `Literal` and `Pairs` in it."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict | Pairs):
        items = value.items() if isinstance(value, dict) else value
        return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the tree has values, as keys and numbers from its root on."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if type(value) is list else ()
    for key, item in items:
        yield from _places(item, (*place, key))


def _changed(value: Any, place: tuple[Any, ...], change: Any) -> Any:
    """A copy of the tree in which `change` was made of the value at the place; `...` leaves it out."""
    if not place:
        return change(value)
    items = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    items[place[0]] = _changed(items[place[0]], place[1:], change)
    if items[place[0]] is ...:
        del items[place[0]]
    return items if isinstance(value, dict) else list(items.values())


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """Path below /v1/ and a body, mostly wrong in one to three places."""
    path, tree = draw(st.sampled_from(RIGHT))
    changed: Any = tree
    for _ in range(draw(st.integers(0, 3))):
        places = [place for place in _some_places(changed) if place] or [()]
        place = draw(st.sampled_from(places))
        changed = _changed(changed, place, draw(_changes()))
    text = written(changed) if changed is not ... else ""
    return path, draw(_as_bytes(text))


def _some_places(tree: Any) -> list[tuple[Any, ...]]:
    """The first few hundred places: a list of thousands is one place enough."""
    return [place for _, place in zip(range(300), _places(tree), strict=False)]


@st.composite
def _changes(draw: st.DrawFn) -> Any:
    """What is done to one value."""
    other, name = draw(st.sampled_from(VALUES)), draw(st.sampled_from(NAMES))
    return draw(
        st.sampled_from(
            [
                lambda _: other,
                lambda _: other,
                lambda _: ...,
                lambda value: [value],
                lambda value: {name: value},
                lambda value: str(value),
                lambda value: {**value, name: other} if isinstance(value, dict) else other,
                lambda value: Pairs([*value.items(), *value.items()]) if isinstance(value, dict) else other,
                lambda value: Pairs([*value.items(), (name, other)]) if isinstance(value, dict) else [value, other],
                lambda value: value * 3 if type(value) is list else other,
            ]
        )
    )


def _as_bytes(text: str) -> st.SearchStrategy[bytes]:
    """The text as it should be sent, mostly: of what is no JSON, only the first wrong byte is ever looked at."""
    content = text.encode("utf-8", "surrogatepass")
    broken = st.builds(
        lambda at, byte: content[: at % (len(content) + 1)] + byte + content[at % (len(content) + 1) + 1 :],
        st.integers(0, 10_000),
        st.binary(max_size=2),
    )
    wrong = [b"\xef\xbb\xbf" + content, text.encode("utf-16", "surrogatepass"), content + b"{}", b"", content + b"\x00"]
    whole = st.just(content)
    return st.one_of(*[whole] * 8, broken, st.sampled_from([*wrong, content[: len(content) // 2]]))
