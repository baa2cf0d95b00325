"""Virtual time for tests: the evaluation's clock, on which minutes of waiting pass in microseconds."""

from qwen3vl_eval.virtual_time import VirtualLoop, run

__all__ = ["VirtualLoop", "run"]
