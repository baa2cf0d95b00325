"""Where the words and bounds of a navigation task are told: generated definitions, the OpenAPI page, documentation."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.unit.vln.door import Door

ROOT = Path(__file__).resolve().parents[4]
Object = dict[str, Any]


@cache
def definition(plural: str) -> Any:
    """The schema of the generated definition's spec and status."""
    content = yaml.safe_load((ROOT / f"crds/{plural}.yaml").read_text(encoding="utf-8"))
    return content["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


@cache
def openapi() -> Object:
    """What the VLN API says of itself."""
    return Door().app.openapi()


def body_schema(method: str, path: str) -> Object:
    """The schema of a request's body."""
    content = openapi()["paths"][path][method]["requestBody"]["content"]
    found: Object = content["application/json"]["schema"]
    return found


def record_word(field: str) -> set[str]:
    """The words that the OpenAPI page lists for a field of the record."""
    schema = openapi()["components"]["schemas"]
    found = schema["TaskRecord"]["properties"][field]
    options = [found, *found.get("anyOf", ())]
    return {word for one in options for word in schema[_name(one)]["enum"] if "$ref" in one} | {
        word for one in options for word in one.get("enum", ())
    }


def _name(schema: Object) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2] or "Phase"


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of a page's table below this header row."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    lines = text.split(heading)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticked(text: str) -> set[str]:
    """Words of one piece in backticks."""
    return set(re.findall(r"`(\w+)`", text))


STATES_TABLE = "| State | Reasons | What helps |"
CONDITIONS_TABLE = "| Condition | Reason | Means | What helps |"


def task_conditions() -> dict[str, set[str]]:
    """Reasons in the table of a NavTask's conditions."""
    text = (ROOT / "docs/status.md").read_text(encoding="utf-8").split("# What a NavTask's status says")[1]
    lines = text.split(CONDITIONS_TABLE)[1].split("\n\n")[0].splitlines()[2:]
    found: dict[str, set[str]] = {}
    kind = ""
    for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines):
        kind = cells[0].strip("`") or kind
        found.setdefault(kind, set()).update(ticked(cells[1]))
    return found


def told_states() -> set[str]:
    [row] = [line for line in (ROOT / "docs/status.md").read_text().splitlines() if line.startswith("| `state`, ")]
    return ticked(row.split("|")[2]) - {"reason"}


def named(text: str) -> set[str]:
    """Words of a sentence that lists them: a, b or c."""
    return set(re.split(r", | or ", text.rstrip(".")))
