"""The quick process: sockets, keys, answers, stop. Looks at no pixel and never waits for the model."""
