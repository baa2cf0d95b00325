"""docs/api.md says what the tables say."""

import re
from pathlib import Path

import pytest

from qwen3vl_common.special_tokens import SPECIAL_TOKENS
from qwen3vl_server.gateway.request import fields, limits, messages
from qwen3vl_server.gateway.request.fields import CHAT, COMPLETION, ENGINES, Field

ROOT = Path(__file__).parents[4]
DOCS = (ROOT / "docs/api.md").read_text()
CODE = ROOT / "images/server/qwen3vl_server/gateway/request"


def documented() -> dict[str, list[str]]:
    table = DOCS.split("### Fields")[1].split("## Errors")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", table, re.MULTILINE)
    return {name: list(rest) for name, *rest in rows}


def elsewhere(field: Field) -> str:
    if field.engines == ENGINES:
        return "-"
    if field.neutral is None:
        return "dropped"
    return "400" if not field.neutral else "dropped, else 400"


def test_each_field_is_documented_and_no_other() -> None:
    assert list(documented()) == list(dict.fromkeys([*CHAT, *COMPLETION]))


@pytest.mark.parametrize("name", [*CHAT, *COMPLETION])
def test_a_fields_engines_and_what_becomes_of_it_elsewhere_are_documented(name: str) -> None:
    paths, _, engines, rest = documented()[name]
    assert paths == ", ".join(path for path, table in (("chat", CHAT), ("completions", COMPLETION)) if name in table)
    for table in (CHAT, COMPLETION):
        if field := table.get(name):
            told = ENGINES if engines == "all" else set(engines.split(", ")) - {"none"}
            assert told == field.engines
            assert rest.endswith(elsewhere(field)) and (len(rest) > 4 or rest == elsewhere(field))


def test_every_code_of_a_refusal_is_documented() -> None:
    codes = {code for path in CODE.glob("*.py") for code in re.findall(r'code="(\w+)"', path.read_text())}
    codes |= {"invalid_request", "invalid_json"}
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in DOCS} == set()


def test_numbers_words_and_names_of_the_text_are_those_of_the_code() -> None:
    told = re.sub(r"\s+", " ", DOCS)
    for words in (
        f"at most {limits.MAX_TEXT_BYTES >> 20} MiB and {limits.MAX_QUOTES // 2:,} strings",
        f"at most {limits.MAX_MESSAGES:,} messages, and {limits.MAX_PARTS:,} parts and tool calls",
        f"a field at most {limits.MAX_FIELD_BYTES >> 20} MiB",
        f"up to {limits.MAX_TOOLS} functions",
        f"a string, or up to {limits.MAX_STOPS},",
        f"a string, or up to {limits.MAX_PROMPTS},",
        f"at most {limits.MAX_DEPTH} levels",
        f"{limits.Limits(1, 1).max_total_pixels:,} pixels in all pictures",
        *(f"`{token}`" for token in SPECIAL_TOKENS),
        *(f"`{role}`" for role in messages.ROLES),
    ):
        assert words in told
    assert {"lmdeploy", "vllm", "sglang"} == fields.UNKNOWN
