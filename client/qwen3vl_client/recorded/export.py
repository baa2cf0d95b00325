"""A recording as plain files: images as JPEG, everything else as lines of JSON."""

import base64
import contextlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from qwen3vl_client.recorded.read import Message

LINES = {
    "/frames": "frames.jsonl",
    "/model": "model.jsonl",
    "/plans": "plans.jsonl",
    "/answers": "answers.jsonl",
    "/events": "events.jsonl",
}
PICTURES = "frames"


def export(messages: Iterable[Message], folder: Path) -> dict[str, int]:
    """Write all of it into a folder, which is made; how much there is of what.

    An image is `frames/<number>.jpg`; each line has the fields of its message and `at`, a Unix time in seconds.

    Raises:
        OSError: the folder cannot be made or written, or has something in it.
    """
    (folder / PICTURES).mkdir(parents=True)
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as open_files:
        files: dict[str, TextIO] = {
            topic: open_files.enter_context((folder / name).open("w", encoding="utf-8"))
            for topic, name in LINES.items()
        }
        for message in messages:
            if message.topic == "/camera":
                path = folder / PICTURES / f"{message.sequence:06}.jpg"
                path.write_bytes(base64.b64decode(message.body["data"]))
                counts["pictures"] += 1
            elif message.topic in files:
                line = json.dumps({"at": message.at, **message.body}, ensure_ascii=False)
                files[message.topic].write(f"{line}\n")
                counts[LINES[message.topic]] += 1
    return dict(counts)
