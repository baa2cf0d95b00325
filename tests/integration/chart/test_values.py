"""Every value is described in both files, and a wrong one is refused by its name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import yaml
from tests.integration.chart.rendering import CHART, REGISTRY, Object, helm_template

MARK = "# -- "


@dataclass
class Described:
    """`values.yaml` read by its lines: descriptions by path, and what has none."""

    descriptions: dict[str, str] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)


def read_values() -> Described:
    """Paths of values, `a.b.c`: a described one with all that stands below it, and each other that holds no section."""
    described, above, comment = Described(), list[tuple[int, str]](), ""
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text.startswith(MARK):
            comment = text.removeprefix(MARK)
        elif text and not text.startswith("#"):
            above = [one for one in above if one[0] < indent] + [(indent, text.partition(":")[0])]
            path = ".".join(key for _, key in above)
            if comment:
                described.descriptions[path] = comment
            elif not any(path.startswith(f"{parent}.") for parent in described.descriptions):
                described.bare.add(path)
            comment = ""
    sections = {path for path in described.bare if any(one.startswith(f"{path}.") for one in described.descriptions)}
    described.bare -= sections
    return described


def schema_values(schema: Object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and description of each value that the schema knows."""
    for key, value in schema["properties"].items():
        here = f"{path}.{key}".lstrip(".")
        if "properties" in value:
            yield from schema_values(value, here)
        else:
            yield here, value.get("description", "")


def test_every_value_is_described_in_both_files_with_the_same_words() -> None:
    values = read_values()
    assert values.bare == set()
    assert len(values.descriptions) > 50
    schema = dict(schema_values(json.loads((CHART / "values.schema.json").read_text())))
    assert schema == values.descriptions
    for path, text in schema.items():
        assert text.endswith("."), path


def test_every_section_refuses_keys_that_it_does_not_know() -> None:
    """A misspelled value would be left out silently; `global` belongs to other charts too."""

    def sections(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
        yield path, schema
        for key, value in schema["properties"].items():
            if "properties" in value:
                yield from sections(value, f"{path}.{key}")

    open_ones = {
        path
        for path, section in sections(json.loads((CHART / "values.schema.json").read_text()))
        if section.get("additionalProperties") is not False
    }
    assert open_ones == {".global"}


def test_defaults_are_values_that_the_schema_knows() -> None:
    def leaves(values: Object, path: str, known: set[str]) -> Iterator[str]:
        for key, value in values.items():
            here = f"{path}.{key}".lstrip(".")
            if here not in known and isinstance(value, dict) and value:
                yield from leaves(value, here, known)
            else:
                yield here

    known = set(read_values().descriptions)
    assert set(leaves(yaml.safe_load((CHART / "values.yaml").read_text()), "", known)) == known


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"gatway": {}}, "additional properties 'gatway' not allowed"),
        ({"gateway": {"replicas": 2}}, "additional properties 'replicas' not allowed"),
        ({"gateway": {"service": {"port": 0}}}, "minimum: got 0, want 1"),
        ({"gateway": {"timeouts": {"firstByteSeconds": "10m"}}}, "got string, want number"),
        ({"watchNamespaces": "robots"}, "got string, want array"),
        ({"watchNamespaces": ["Robots"]}, "does not match pattern"),
        ({"watchNamespaces": ["robots", ""]}, "does not match pattern"),
        ({"watchNamespaces": ["robots", "robots"]}, "items at 0 and 1 are equal"),
        ({"operator": {"image": {"digest": "sha256:short"}}}, "does not match pattern"),
        ({"server": {"image": {"repository": "here/server:7"}}}, "does not match pattern"),
        ({"operator": {"upgrade": {"maxConcurrent": 0}}}, "minimum: got 0, want 1"),
        ({"gateway": {"podAnnotations": {"scrape": True}}}, "got boolean, want string"),
        ({"gateway": {"extraEnv": [{"value": "nameless"}]}}, "missing property 'name'"),
        ({"server": {"image": {"pullPolicy": "Sometimes"}}}, "'Always', 'IfNotPresent', 'Never'"),
        (
            {"gateway": {"limits": {"maxBodyBytes": 50_331_649}}},
            "at least twice gateway.limits.maxBodyBytes, here 100663298",
        ),
        ({"gateway": {"limits": {"maxBytesInFlight": 67_108_863}}}, "at least twice gateway.limits.maxBodyBytes"),
        ({"operator": {"logLevel": "loud"}}, "'debug', 'info', 'warning', 'error'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: Object, says: str) -> None:
    done = helm_template(REGISTRY | values)
    assert done.returncode != 0
    assert says in done.stderr
    *_, innermost = _path(values)
    assert innermost in done.stderr, done.stderr


def _path(values: Object) -> list[str]:
    """The keys that lead to the wrong value."""
    key, value = next(iter(values.items()))
    return [key, *(_path(value) if isinstance(value, dict) and value else [])]


def test_values_of_the_version_before_are_told_how_to_come_along() -> None:
    """`helm upgrade --reuse-values` brings no defaults for what is new."""
    for older in ({"migration": None}, {"gateway": {"limits": {"maxBytesInFlight": None}}}):
        done = helm_template(REGISTRY | older)
        assert "use --reset-then-reuse-values" in done.stderr
