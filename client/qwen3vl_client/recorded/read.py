"""Messages of a recording. Also of one whose end was cut off, or that is being written."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NANOSECONDS = 1e9


class UnreadableError(Exception):
    """The file is no recording, or what reads one is not installed; the text says which."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        at: Unix time, seconds.
        sequence: number of the frame that it is about, on topics that are about frames.
    """

    topic: str
    at: float
    sequence: int
    body: dict[str, Any]


@dataclass
class Recording:
    """One file.

    Attributes:
        cut: its end was missing, as seen by the last reading.
    """

    path: Path
    cut: bool = False

    def messages(self, *topics: str) -> Iterator[Message]:
        """The messages of these topics, or all; in the order in which they were written.

        Raises:
            UnreadableError: see there.
        """
        try:
            from mcap.exceptions import EndOfFile, McapError
            from mcap.reader import NonSeekingReader
            from mcap.stream_reader import CRCValidationError
            from zstandard import ZstdError
        except ImportError:
            raise UnreadableError("recordings are read with mcap: pip install 'qwen3vl-client[record]'") from None
        self.cut = False
        try:
            with self.path.open("rb") as file:
                found = NonSeekingReader(file, validate_crcs=True).iter_messages(topics or None, log_time_order=False)
                for _, channel, message in found:
                    body = json.loads(message.data)
                    yield Message(channel.topic, message.log_time / NANOSECONDS, message.sequence, body)
        except (EndOfFile, struct.error):
            if self.path.stat().st_size == 0:
                raise UnreadableError(f"{self.path} is empty") from None
            self.cut = True
        except (McapError, CRCValidationError, ZstdError, ValueError) as error:
            raise UnreadableError(f"{self.path} is no recording, or damaged: {error}") from None
        except OSError as error:
            raise UnreadableError(str(error)) from None
