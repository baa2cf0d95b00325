"""A task is only told what happened: nothing outside its package writes what belongs to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import qwen3vl_vln

PACKAGE = Path(qwen3vl_vln.__file__).parent
OUTSIDE = sorted(file for file in PACKAGE.rglob("*.py") if PACKAGE / "task" not in file.parents)
CHANGING = {"append", "clear", "discard", "extend", "pop", "setdefault", "update"}


def of_a_task(node: ast.expr) -> bool:
    """Whether it is an attribute of something called `task`, or a part of one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
        if isinstance(node, ast.Name) and node.id == "task":
            return True
        if isinstance(node, ast.Attribute) and node.attr == "task":
            return True
    return False


def targets(node: ast.AST) -> list[ast.expr]:
    """What a statement or an expression writes."""
    if isinstance(node, ast.Assign):
        return [part for target in node.targets for part in getattr(target, "elts", [target])]
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    if isinstance(node, ast.Delete):
        return node.targets
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
        return [node.func.value]
    return []


def writes(source: str) -> Iterator[str]:
    """The writes to tasks in a module, as it has them."""
    for node in ast.walk(ast.parse(source)):
        if any(of_a_task(target) for target in targets(node)):
            yield ast.unparse(node)


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_outside_writes_its_attributes(file: Path) -> None:
    assert list(writes(file.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "task.owner = owner",
        "entry.task.steps += 1",
        "entry.task.warnings['writers'] = sentence",
        "task.owner, other = 1, 2",
        "del task.last_step",
        "entry.task.warnings.clear()",
    ],
)
def test_a_write_would_be_found(source: str) -> None:
    assert len(list(writes(source))) == 1


def test_what_a_task_is_told_is_no_write() -> None:
    assert not list(writes("task = entry.task\nentry.task.linked(None)\nnewest = task.calls.seconds\nself.task = task"))
