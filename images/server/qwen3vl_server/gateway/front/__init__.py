"""The front: everything between a socket and a request that may be answered.

Limits that hold before any key is looked at, broken HTTP, slow and silent clients, bytes of bodies in flight. Requests
for engines go to a `Door` as an `Exchange`, all others to the ASGI application."""

from qwen3vl_server.gateway.front.door import Door, Head, NoDoor
from qwen3vl_server.gateway.front.exchange import MISTAKE, REPLACED, Exchange
from qwen3vl_server.gateway.front.front import Front
from qwen3vl_server.gateway.front.limits import FrontLimits

__all__ = ["MISTAKE", "REPLACED", "Door", "Exchange", "Front", "FrontLimits", "Head", "NoDoor"]
