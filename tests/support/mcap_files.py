"""What stands in recordings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcap.reader import make_reader


def read(path: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Topic, message and schema of all messages."""
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages():
            assert schema is not None and (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            yield channel.topic, json.loads(message.data), json.loads(schema.data)
