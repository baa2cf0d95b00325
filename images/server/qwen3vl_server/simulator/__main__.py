"""Start the simulator: `python -m qwen3vl_server.simulator --model-name NAME`. Options become values only here."""

import argparse
import asyncio
import logging
import os
import signal
from types import FrameType

import cv2
import uvicorn

from .app import Engine, Settings

log = logging.getLogger("qwen3vl_server.simulator")
KEY_VARIABLE = "QWEN3VL_ENGINE_KEY"


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; open answers get `--drain-seconds`, then the process ends with status 0."""
    options = _options(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    cv2.setNumThreads(1)
    settings = Settings(
        model_name=options.model_name,
        key=os.environ.get(KEY_VARIABLE) or None,
        first_token_millis=options.first_token_millis,
        tokens_per_second=options.tokens_per_second,
        context_length=options.context_length,
        drives=options.policy == "drive",
    )
    if settings.key is None:
        log.warning("%s is not set: anybody may ask", KEY_VARIABLE)
    # uvicorn raises the signal again once it is done; ending by it would count as a failure of the container.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asyncio.run(_serve(settings, options))


async def _serve(settings: Settings, options: argparse.Namespace) -> None:
    engine = Engine(settings)
    config = uvicorn.Config(
        engine.app(),
        host=options.host,
        port=options.port,
        log_level=options.log_level,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=options.drain_seconds + 2,
    )
    log.info("serving model %s on %s:%d", settings.model_name, options.host, options.port)
    await _Server(config, engine, options.drain_seconds).serve()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, engine: Engine, drain_seconds: int) -> None:
        super().__init__(config)
        self._engine, self._drain_seconds = engine, drain_seconds
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._engine.stopping.set)
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, self._engine.stopped.set)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qwen3vl_server.simulator", description="An engine without a GPU.")
    parser.add_argument("--model-name", required=True, help="the name that requests give as model")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a container is reached from outside itself
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--first-token-millis", type=_not_negative, default=Settings.first_token_millis)
    parser.add_argument("--tokens-per-second", type=_positive, default=Settings.tokens_per_second)
    parser.add_argument("--context-length", type=int, default=Settings.context_length, help="tokens")
    policy = "still: never moves a robot; drive: answers navigation schemas by what it sees"
    parser.add_argument("--policy", default="still", choices=["still", "drive"], help=policy)
    parser.add_argument("--drain-seconds", type=int, default=5, help="for open answers after SIGTERM")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser.parse_args(arguments)


def _not_negative(text: str) -> float:
    if not 0 <= (number := float(text)) < 3.6e6:
        raise argparse.ArgumentTypeError(f"{text} is not a time in milliseconds")
    return number


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


if __name__ == "__main__":
    main()
