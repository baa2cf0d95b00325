"""The limits that the gateway has are those that its documentation tells."""

from dataclasses import replace
from pathlib import Path

import pytest

from qwen3vl_common.errors import ApiError
from qwen3vl_server.gateway.front import FrontLimits

MIB = 1024 * 1024
API = (Path(__file__).parents[4] / "docs/api.md").read_text()


def test_the_numbers_in_the_tables_are_the_defaults() -> None:
    limits = FrontLimits()
    rows = [
        f"| URL | {limits.url_bytes // 1024} KiB | 414 |",
        f"| URL and headers | {limits.head_bytes // 1024} KiB, {limits.head_fields} fields | 431 |",
        f"first byte | {limits.head_seconds:g} s | 408",
        f"| silence between two requests | {limits.keep_alive_seconds:g} s |",
        f"| {limits.strangers_an_address} an address, {limits.strangers:,} a process |",
        f"not for an engine | {limits.page_body_bytes // 1024} KiB | 413 |",
        f"in each {limits.body_window_seconds:g} s | {limits.body_bytes_per_second // 1024} KiB/s | 408 |",
        f"| {limits.flight_bytes // MIB} MiB a process | it waits unread up to {limits.room_seconds:g} s",
        f"of one key | {limits.share_bytes // MIB} MiB |",
        f"trailers of a chunked body | {limits.overhead_bytes // 1024} KiB beside",
        f"up to {limits.refused_bytes // MIB} MiB of the body,\nor {limits.refused_seconds:g} s",
        f"(up to {limits.refused_known_bytes // MIB} MiB where the key is valid)",
        f"no byte of an answer for {limits.taking_seconds:g} s",
    ]
    assert [row for row in rows if row not in API] == []


def test_every_error_is_in_the_table_with_its_status() -> None:
    errors = [one for one in ApiError.__subclasses__() if one.__module__ == ApiError.__module__]
    rows = [line.split("|")[1:3] for line in API.splitlines() if line.startswith(("| 4", "| 5"))]
    told = {
        (status.strip(), code)
        for statuses, words in rows
        for status in statuses.split(",")
        for code in words.split("`")[1::2]
    }
    assert {(str(one.status), one.code) for one in errors} - told == set()


@pytest.mark.parametrize("changes", [{"max_body_bytes": 49 * MIB}, {"share_bytes": 97 * MIB}, {"flight_bytes": MIB}])
def test_a_body_that_would_never_find_room_is_a_mistake_of_configuration(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must fit into one client's share"):
        replace(FrontLimits(), **changes)
