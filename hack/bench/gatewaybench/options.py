"""The bench's command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

DESCRIPTION = """What the gateway costs: real processes on loopback before a lean stub engine, all in one run.

Beside this checkout's gateway stand the one of an earlier commit (--previous), Debian's nginx as a plain proxy and the
stub alone. They take turns in short blocks, so that noise of the machine meets all; a figure is the median of its
blocks. Each request carries a picture of 60 KiB, 82 KB of body. CPU is user and system time of the contender's own
processes for a fixed number of requests: saturated by 32 connections (`cpu_us_per_request`), and at 100 a second
(`paced_...`: a processor that slept meanwhile costs more). Latency is that at 100 a second. Then streams: as many as
--streams at 2 tokens a second, and the highest rate at which 95 % of the events come in time, which is no later than
0.25 s after the engine owed them. What cannot be measured here is null, with the reason on stderr.
"""
PREVIOUS = "93406eb"


@dataclass(frozen=True)
class Options:
    """What is to be measured.

    Attributes:
        seconds: time of each contender at the fixed rate, over all blocks; the saturated blocks follow from it.
        previous: the commit whose gateway stands beside this one.
        streams: how many at once; 0 leaves them out.
        stream_seconds: time of the streams at 2 tokens a second.
        probe_seconds: time of each step of the search for the highest rate.
        litellm: whether LiteLLM's proxy stands beside them too.
    """

    seconds: float
    previous: str
    streams: int
    stream_seconds: float
    probe_seconds: float
    litellm: bool
    as_json: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the process when it is wrong."""
    parser = argparse.ArgumentParser(
        "hack/bench/gateway", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--json", action="store_true", dest="as_json", help="one line instead of a table")
    add("--seconds", type=float, default=15.0, help="of each contender at 100 requests a second (default 15)")
    add("--previous", default=PREVIOUS, metavar="REV", help=f"commit of the earlier gateway (default {PREVIOUS})")
    add("--streams", type=int, default=2000, help="streams at once (default 2000); 0 leaves them out")
    add("--stream-seconds", type=float, default=20.0, help="of the streams at 2 tokens a second (default 20)")
    add("--probe-seconds", type=float, default=4.0, help="of each step of the search for the highest rate (default 4)")
    add("--litellm", action="store_true", help="also LiteLLM's proxy, in an environment of its own (about 1 GB)")
    options = Options(**vars(parser.parse_args(arguments)))
    if options.seconds <= 0 or options.streams < 0:
        parser.error("--seconds is more than 0, --streams at least 0")
    return options
