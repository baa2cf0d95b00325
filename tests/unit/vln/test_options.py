"""The command line of the VLN API."""

import pytest

from qwen3vl_vln.__main__ import _options

NEEDED = ["--model-name", "m", "--gateway-url", "http://127.0.0.1:9/v1"]


def test_without_a_prefix_every_file_is_a_client() -> None:
    assert _options(NEEDED).keys_prefix is None
    assert _options([*NEEDED, "--keys-prefix", "m."]).keys_prefix == "m."


@pytest.mark.parametrize("prefix", ["", "qwen"])
def test_a_prefix_that_would_let_in_robots_of_other_models_is_refused(
    prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _options([*NEEDED, "--keys-prefix", prefix])
    assert "does not end in a dot; for the model m it is m." in capsys.readouterr().err
