"""A real Kubernetes on one machine: built from Go modules, run in a network namespace of its own.

Standard library only, so that it starts on a fresh machine before anything is installed."""
