"""The words of refusals that the operator acts on: each is given by one error, and spelt nowhere else."""

import ast
from pathlib import Path

import pytest

from qwen3vl_common.navigation.refusals import RefusalCode
from qwen3vl_vln import errors
from qwen3vl_vln.errors import FinishedError, RobotBusyError, StaleGenerationError, UnknownTaskError

from .pages import ROOT

USERS = [
    ROOT / "images/vln/qwen3vl_vln/errors.py",
    ROOT / "tests/support/stand_in_vln.py",
    *(ROOT / "operator/qwen3vl_operator/nav_task").glob("*.py"),
]


def test_each_word_is_of_one_error_of_the_vln_api() -> None:
    leaves = [each for each in vars(errors).values() if isinstance(getattr(each, "code", None), RefusalCode)]
    assert {each.code: each for each in leaves} == {
        RefusalCode.ROBOT_BUSY: RobotBusyError,
        RefusalCode.FINISHED: FinishedError,
        RefusalCode.STALE_GENERATION: StaleGenerationError,
        RefusalCode.UNKNOWN_TASK: UnknownTaskError,
    }
    assert len(leaves) == len(RefusalCode)


@pytest.mark.parametrize("file", USERS, ids=lambda file: file.name)
def test_nobody_spells_such_a_word_himself(file: Path) -> None:
    spelt = {
        node.value
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not spelt & set(map(str, RefusalCode))


def test_each_word_is_acted_on_by_the_operator() -> None:
    read = {
        node.attr
        for file in (ROOT / "operator/qwen3vl_operator/nav_task").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "RefusalCode"
    }
    assert read == {code.name for code in RefusalCode}
