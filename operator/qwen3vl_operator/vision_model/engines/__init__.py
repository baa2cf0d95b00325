"""The table of engines. A name that is not in it cannot be written in a VisionModel, and everything about an engine
that the rest of the operator needs (schema, rules, dispatch, status, documentation) is read from here."""

from collections.abc import Mapping

from qwen3vl_operator.vision_model.engines import lmdeploy, simulator
from qwen3vl_operator.vision_model.engines.program import Engine

ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (lmdeploy.ENGINE, simulator.ENGINE)}
DEFAULT = lmdeploy.ENGINE.name

__all__ = ["DEFAULT", "ENGINES", "Engine"]
