"""`python -m qwen3vl_client.command`, where the package is not installed."""

from qwen3vl_client.command import main

main()
