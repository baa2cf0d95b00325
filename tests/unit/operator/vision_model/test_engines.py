"""The table of engines: what a VisionModel may name is what has a module, and each says all that is asked of it."""

import dataclasses
import importlib
import pkgutil

import pytest
from pydantic import ValidationError
from tests.unit.operator import samples

from qwen3vl_operator.crds import vision_models
from qwen3vl_operator.vision_model import engines
from qwen3vl_operator.vision_model.engines import ENGINES
from qwen3vl_operator.vision_model.engines.program import Engine
from qwen3vl_server.gateway.request import fields


def test_every_name_in_the_schema_has_a_module_and_every_module_is_in_the_schema() -> None:
    spec = vision_models()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    in_schema = set(spec["properties"]["engine"]["properties"]["name"]["enum"])
    modules = (
        importlib.import_module(f"{engines.__name__}.{found.name}") for found in pkgutil.iter_modules(engines.__path__)
    )
    with_engine = {module.ENGINE.name for module in modules if hasattr(module, "ENGINE")}
    assert in_schema == with_engine == set(ENGINES)


def test_the_gateway_knows_what_each_engine_takes() -> None:
    assert set(ENGINES) <= fields.ENGINES


@pytest.mark.parametrize("name", ENGINES)
def test_each_engine_renders_a_container(name: str) -> None:
    program = ENGINES[name].program(samples.model(samples.LMDEPLOY | {"engine": {"name": name}}))
    assert program.command
    assert program.resources["limits"]["memory"]
    flags = {word.split("=")[0] for word in program.arguments if word.startswith("--")}
    assert flags <= ENGINES[name].owned_flags, "a flag that the operator sets can be set again by engine.args"


def test_an_engine_without_a_module_cannot_be_named() -> None:
    with pytest.raises(ValidationError, match="there is no engine foo; there are: lmdeploy, simulator"):
        samples.model({"engine": {"name": "foo"}})


def test_an_image_with_a_tag_that_its_publisher_never_makes_cannot_be_the_default() -> None:
    with pytest.raises(ValueError, match=r"makes no image with the tag v0\.18\.0"):
        dataclasses.replace(ENGINES["lmdeploy"], image="docker.io/openmmlab/lmdeploy:v0.18.0")


def test_an_image_comes_with_its_tag_rule() -> None:
    with pytest.raises(ValueError, match="rule of its tags"):
        dataclasses.replace(ENGINES["simulator"], image="r/x:1")
    assert all(isinstance(engine, Engine) for engine in ENGINES.values())
