"""What the server image runs: gateway, simulator and the chart's smoke test; each is a package or module of its own."""
