"""The Secrets that the operator makes: one internal one that all keys are derived from, and a few of fixed names for
engines, robots and users. No model's name is part of a Secret's name, so that rights to them can be bound to names."""
