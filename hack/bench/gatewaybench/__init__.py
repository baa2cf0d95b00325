"""What the gateway costs: `hack/bench/gateway --help`."""
