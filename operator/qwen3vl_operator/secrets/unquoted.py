"""Writing Secrets so that no error quotes what is in them: a webhook says what it likes, and errors are shown."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.mask import mask


@contextmanager
def unquoted(data: Mapping[str, str | None]) -> Iterator[None]:
    """An ApiError raised within is raised without these values.

    Args:
        data: entries as a Secret has them; masked encoded and decoded.
    """
    try:
        yield
    except ApiError as error:
        values = [value for value in data.values() if value]
        raise ApiError(error.status, mask(str(error), [*values, *map(_decoded, values)])) from None


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""  # no text: nobody can quote it
