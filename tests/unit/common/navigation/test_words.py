"""Each user of the words of a navigation task, walked: a word on one side only fails here."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import get_args

import pytest

from qwen3vl_client import states as client
from qwen3vl_common.navigation import settings
from qwen3vl_common.navigation.requests import CreationConfig
from qwen3vl_common.navigation.states import COMPLETE, ENDINGS, OLD_STATUSES, Phase, Reason, State, Verdict, old_status
from qwen3vl_common.navigation.wrong import aliases
from qwen3vl_eval import drawing
from qwen3vl_operator.nav_task.conditions import OUTCOMES, TASK_REASONS
from qwen3vl_operator.nav_task.status_fields import upper_camel
from qwen3vl_vln.ipc.to_edge import Fault
from qwen3vl_vln.motion.agreement import OdometryFault
from qwen3vl_vln.overlay.draw import COLOURS

from .pages import (
    ROOT,
    STATES_TABLE,
    body_schema,
    definition,
    named,
    record_word,
    table,
    task_conditions,
    ticked,
    told_states,
)

Users = Mapping[str, tuple[Iterable[str], Callable[[], set[str]]]]
USERS: Users = {
    "states: the client": (State, lambda: set(client.STATES)),
    "states: docs/robots.md": (State, lambda: {row[0].strip("`") for row in table("robots.md", STATES_TABLE)}),
    "states: docs/status.md": (State, told_states),
    "states: NavTask's schema": (
        State,
        lambda: named(definition("navtasks")["status"]["properties"]["state"]["description"]),
    ),
    "states: OpenAPI": (State, lambda: record_word("state")),
    "states: pictures for viewers": (State, lambda: set(COLOURS)),
    "states: figures of the evaluation": (State, lambda: set(drawing._STATES)),
    "final states: the client": ({state for state, _ in ENDINGS.values()}, lambda: set(client.ENDED)),
    "reasons: docs/robots.md": (
        Reason,
        lambda: set().union(*(ticked(row[1]) for row in table("robots.md", STATES_TABLE))),
    ),
    "reasons: OpenAPI": (Reason, lambda: record_word("reason")),
    "verdicts: how they are told": (Verdict, lambda: set(map(str, ENDINGS))),
    "verdicts: the operator's conditions": (Verdict, lambda: set(map(str, OUTCOMES))),
    "verdicts: docs/status.md": (Verdict, lambda: task_conditions()["Complete"] | task_conditions()["Failed"]),
    "verdicts: OpenAPI": (Verdict, lambda: record_word("verdict")),
    "good verdicts: the operator's conditions": (
        COMPLETE,
        lambda: {str(verdict) for verdict, (condition, _) in OUTCOMES.items() if condition == "Complete"},
    ),
    "good verdicts: docs/status.md": (COMPLETE, lambda: task_conditions()["Complete"]),
    "phases: OpenAPI": (Phase, lambda: record_word("phase")),
    "phases: the operator's conditions": (
        set(Phase) - {Phase.FINISHED},
        lambda: set(TASK_REASONS["Running"]) & {*map(str, Phase)},
    ),
    "phases: docs/status.md": (
        set(Phase) - {Phase.FINISHED},
        lambda: task_conditions()["Running"] & {*map(str, Phase)},
    ),
    "phases of a NavTask: its schema": (
        {"Pending", Phase.RUNNING, Phase.PAUSED, *(phase for _, phase in OUTCOMES.values())},
        lambda: named(definition("navtasks")["status"]["properties"]["phase"]["description"]),
    ),
    "statuses of the older protocol: OpenAPI": (OLD_STATUSES, lambda: record_word("status")),
    "statuses of the older protocol: where they come from": (
        OLD_STATUSES,
        lambda: {old_status(phase, verdict) for phase in Phase for verdict in (None, *Verdict)},
    ),
    "wanted states: NavTask's schema": (
        get_args(settings.WantedState),
        lambda: set(definition("navtasks")["spec"]["properties"]["state"]["enum"]),
    ),
    "wanted states: OpenAPI": (
        get_args(settings.WantedState),
        lambda: set(body_schema("put", "/vln/task/{task_id}")["properties"]["state"]["enum"]),
    ),
    "profiles: docs/robots.md": (
        get_args(settings.Profile),
        lambda: set().union(*(ticked(row[0]) for row in table("robots.md", "| Profile | The model answers | Step |"))),
    ),
    "settings of a creation: docs/protocol.md": (
        {*aliases(CreationConfig)},
        lambda: (
            ticked((ROOT / "docs/protocol.md").read_text().split("`config` may have")[1].split(" |\n")[0])
            - {"instruction"}
        ),
    ),
}


@pytest.mark.parametrize("user", USERS)
def test_each_user_has_the_contracts_words_and_no_other(user: str) -> None:
    words, found = USERS[user]
    assert found() == set(map(str, words))


def test_the_client_gives_the_servers_reasons_or_its_own_and_says_no_other() -> None:
    assert set(client.SERVERS_REASONS) <= set(map(str, Reason))
    assert not set(client.OWN_REASONS) & set(map(str, Reason))
    for file in (ROOT / "client/qwen3vl_client").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Command":
                spelt = [word.arg for word in node.keywords if isinstance(word.value, ast.Constant)]
                assert not {"state", "reason"} & set(spelt), f"{file.name}:{node.lineno} spells a word itself"


@pytest.mark.parametrize("kind", [State, Reason, Verdict, Phase], ids=lambda kind: kind.__name__)
def test_each_word_is_given_by_the_vln_api(kind: type[StrEnum]) -> None:
    given = {
        node.attr
        for file in (ROOT / "images/vln/qwen3vl_vln").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == kind.__name__
    }
    by_an_end = {word.name for ending in ENDINGS.values() for word in ending if isinstance(word, kind)}
    assert given | by_an_end == {word.name for word in kind}


@pytest.mark.parametrize("faults", [Fault, OdometryFault], ids=lambda faults: faults.__name__)
def test_each_fault_is_the_reason_of_a_state(faults: type[StrEnum]) -> None:
    assert set(map(str, faults)) <= set(map(str, Reason))


KINDS = {"state": State, "reason": Reason, "verdict": Verdict, "phase": Phase, "fault": Reason}


def compared_by_its_letters(source: str) -> list[object]:
    """Words that the source compares something of their kind with, without the enumeration."""
    found: list[object] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            left = node.left.slice if isinstance(node.left, ast.Subscript) else node.left
            name = next((str(getattr(left, one)) for one in ("attr", "id", "value") if hasattr(left, one)), "")
            words = [each.value for one in node.comparators for each in ast.walk(one) if isinstance(each, ast.Constant)]
            found += [
                word for kind, known in KINDS.items() if name.endswith(kind) for word in words if word in [*known]
            ]
    return found


@pytest.mark.parametrize(
    "source", ["a.newest_state == 'moving'", "body['reason'] in ('x', 'stuck')", "a.phase != 'Paused'"]
)
def test_a_word_that_is_spelt_out_is_found(source: str) -> None:
    assert len(compared_by_its_letters(source)) == 1


@pytest.mark.parametrize("folder", ["images/vln/qwen3vl_vln", "operator/qwen3vl_operator/nav_task"])
def test_no_state_reason_verdict_or_phase_is_spelt_out_where_it_is_compared(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    found = {file.name: compared_by_its_letters(file.read_text(encoding="utf-8")) for file in files}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_can_be_the_reason_of_a_condition(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", upper_camel(reason))
