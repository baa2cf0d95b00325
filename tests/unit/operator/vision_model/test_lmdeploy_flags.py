"""The rendered command line against LMDeploy's own parser, kept as JSON by `hack/engine-flags`."""

import argparse
import json
import pathlib
from typing import Any

import pytest
from tests.unit.operator import samples
from tests.unit.operator.samples import EVERYTHING

from qwen3vl_operator.vision_model.engines.lmdeploy import IMAGE
from qwen3vl_operator.vision_model.engines.lmdeploy import program as render
from qwen3vl_operator.vision_model.engines.lmdeploy_flags import RENDERED_FLAGS

FLAGS = pathlib.Path(__file__).parent / "lmdeploy-0.18.0-flags.json"
TYPES = {"int": int, "float": float, "str": str}


def arguments() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FLAGS.read_text())
    return found


class _Exact(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ValueError(message)


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """A parser with the flags, types and choices of the real one."""
    result = _Exact(add_help=False)
    for one in arguments():
        if one["action"] == "StoreTrueAction":
            result.add_argument(*one["flags"], action="store_true")
            continue
        kind = TYPES.get(one["type"] or "")
        choices = [kind(choice) for choice in one["choices"]] if one["choices"] and kind else None
        options = {"nargs": one["nargs"], "default": one["default"], "choices": choices}
        result.add_argument(*one["flags"], **options | ({"type": kind} if kind else {}))
    return result


CASES = {
    "example": samples.example("lmdeploy.yaml")["spec"],
    "everything": EVERYTHING,
    "flag last": samples.LMDEPLOY | {"engine": {"prefixCaching": False}},
    "own arguments": samples.LMDEPLOY | {"engine": {"args": ["--quant-policy", "8", "--max-batch-size=64"]}},
}


def command_line(spec: dict[str, Any]) -> list[str]:
    """What the container runs after `lmdeploy serve api_server`."""
    model = samples.model(spec)
    program = render(model)
    assert program.command == ("lmdeploy",)
    assert program.arguments[:2] == ("serve", "api_server")
    return [*program.arguments[2:], *model.spec.engine.args]


@pytest.mark.parametrize("case", CASES)
def test_lmdeploy_takes_the_command_line(parser: argparse.ArgumentParser, case: str) -> None:
    model = samples.model(CASES[case])
    parsed = parser.parse_args(command_line(CASES[case]))
    volume = model.spec.source.volume if model.spec.source else None
    assert volume is not None
    assert parsed.model_path == f"/models/{volume.path}".rstrip("/")
    assert parsed.backend == "pytorch"
    assert (parsed.server_name, parsed.server_port) == ("0.0.0.0", 8000)
    assert parsed.model_name == model.served_name
    assert parsed.tp == model.spec.engine.tensor_parallel
    assert parsed.session_len == model.spec.engine.context_length
    assert parsed.enable_prefix_caching is model.spec.engine.prefix_caching
    assert parsed.api_keys == ["$(QWEN3VL_ENGINE_KEY)"]
    fraction = model.spec.engine.gpu_memory_fraction
    default = parser.get_default("cache_max_entry_count")
    assert parsed.cache_max_entry_count == (default if fraction is None else fraction)


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-flag"], ["--dtype", "float8"], ["--max-batch-size", "many"], ["stray-word"]],
)
def test_the_kept_parser_refuses_what_lmdeploy_refuses(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """In particular a stray word must not become one more API key."""
    with pytest.raises(ValueError, match=r"unrecognized arguments|invalid"):
        parser.parse_args(command_line(samples.LMDEPLOY | {"engine": {"args": arguments}}))


def test_every_flag_that_is_refused_to_users_exists() -> None:
    known = {flag for one in arguments() for flag in one["flags"]}
    assert known >= RENDERED_FLAGS


def test_no_other_flag_is_refused_for_being_the_beginning_of_a_rendered_one() -> None:
    others = {flag for one in arguments() for flag in one["flags"]} - RENDERED_FLAGS
    assert not [(other, ours) for other in others for ours in RENDERED_FLAGS if ours.startswith(other)]


def test_image_and_kept_flags_are_of_one_version() -> None:
    version = FLAGS.name.removeprefix("lmdeploy-").removesuffix("-flags.json")
    assert IMAGE.rpartition(":")[2].startswith(f"v{version}-cu")
