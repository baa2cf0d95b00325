"""What tests share lies in `tests/support`: waiting that ends, and no test that needs another one's module."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import virtual_time
from tests.support.polling import eventually, until

ROOT = Path(__file__).resolve().parents[3]


def imported(path: Path) -> Iterator[str]:
    """The modules of tests that a file imports, by their full names."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = ".".join([*(package[: len(package) - node.level + 1] if node.level else ()), node.module or ""])
            if module.startswith("tests."):
                yield from (module, *(f"{module}.{name.name}" for name in node.names))


def test_no_test_imports_another() -> None:
    wrong = []
    for path in (ROOT / "tests").rglob("*.py"):
        folder = ".".join(path.relative_to(ROOT).parent.parts)
        for module in imported(path):
            kind = ".".join(folder.split(".")[:2])
            foreign = not f"{module}.".startswith((f"{kind}.", "tests.support"))
            if foreign or any(part.startswith("test_") for part in module.split(".")):
                wrong.append(f"{path.relative_to(ROOT)}: {module}")
    assert not wrong, "move what they share to tests/support, or to a module beside them"


def test_waiting_gives_the_first_true_result() -> None:
    numbers = iter(range(3))

    async def look() -> int:
        return next(numbers)

    assert virtual_time.run(until(look)) == 1
    assert virtual_time.run(until(lambda: next(numbers))) == 2
    assert eventually(lambda: [7]) == [7]


def test_waiting_ends_and_says_for_what_and_what_was_there() -> None:
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    for look in (lambda: False, hangs):
        with pytest.raises(AssertionError, match="not within 5 s: the robot stands; it moves"):
            virtual_time.run(until(look, 5, "the robot stands;", lambda: "it moves"))
    with pytest.raises(AssertionError, match="not within 0 s: it holds"):
        eventually(lambda: 0, 0)


def test_an_error_of_looking_is_not_taken_for_the_deadline() -> None:
    async def look() -> bool:
        raise TimeoutError("the server is slow")

    with pytest.raises(TimeoutError, match="the server is slow"):
        virtual_time.run(until(look))
