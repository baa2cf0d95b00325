"""Speaking to engines: connections, the choice among replicas, and the answers' way to the client."""

from qwen3vl_server.gateway.engines.contract import EngineRequest, Sink, Timeouts
from qwen3vl_server.gateway.engines.engines import Engines
from qwen3vl_server.gateway.engines.refusal import EngineRefused

__all__ = ["EngineRefused", "EngineRequest", "Engines", "Sink", "Timeouts"]
