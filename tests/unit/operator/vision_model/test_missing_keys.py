"""An object whose keys are not there waits for them, or has failed when they cannot be written."""

import pytest
from tests.unit.operator import samples

from qwen3vl_operator.kube.resources import STATEFUL_SETS
from qwen3vl_operator.vision_model.accepted import accepted, withheld
from qwen3vl_operator.vision_model.desired import desired
from qwen3vl_operator.vision_model.observed import Outcome, Result
from qwen3vl_operator.vision_model.plan import MissingKeys, Situation, plan

WORDS = 'Secret qwen3vl-model-keys-3: failed calling webhook "x"'


@pytest.mark.parametrize(
    ("failed", "outcome", "reason"),
    [
        (None, Outcome.WAITING, "Valid"),
        (0, Outcome.FAILED, "ApplyFailed"),
        (500, Outcome.FAILED, "ApplyFailed"),
        (422, Outcome.FAILED, "ApplyFailed"),
        (403, Outcome.REFUSED, "Forbidden"),
    ],
)
def test_keys_that_cannot_be_written_are_told_in_the_apiservers_words(
    failed: int | None, outcome: Outcome, reason: str
) -> None:
    model = samples.model()
    wanted = [one for one in desired(model, samples.SETTINGS, owns_served_name=True) if one["kind"] == "StatefulSet"]
    missing = {STATEFUL_SETS.kind: MissingKeys(WORDS, failed)}
    (step,) = plan(model, wanted, [None], Situation(missing, may_begin=lambda: True))
    assert step.outcome is outcome
    result = Result("StatefulSet m-engine", outcome, step.status, step.message)
    told = accepted([result], paused=False)
    assert told.reason == reason
    assert (WORDS in told.message) is (failed is not None)
    behind = withheld([result])
    assert behind is not None
    assert behind.reason == ("RollingOut" if failed is None else "ApplyFailed")
