"""A request on its way to an engine: read into typed structures, checked, and written anew. Pure but for its pauses.

`read` says what a request asks for, before its model is looked up; `finish` checks it for the model's engine and gives
what that engine is sent. Nothing that was not understood is in it.
"""

from qwen3vl_server.gateway.request.draft import CHAT_PATH, COMPLETION_PATH, Draft, read
from qwen3vl_server.gateway.request.finish import EngineRequest, finish
from qwen3vl_server.gateway.request.limits import SLICE_BYTES, Limits

__all__ = ["CHAT_PATH", "COMPLETION_PATH", "SLICE_BYTES", "Draft", "EngineRequest", "Limits", "finish", "read"]
