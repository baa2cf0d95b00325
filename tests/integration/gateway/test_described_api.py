"""Requests made from a description of the API: right ones are answered with 200, wrong ones as the description says."""

from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks
from tests.support.figures import Figures
from tests.support.fuzzing import Target, fuzz
from tests.support.gateway_process import KEY
from tests.support.openai_description import DESCRIPTION

SHARE = 0.25
ANSWER_SECONDS = 20
CHECKS: list[schemathesis.CheckFunction] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def cases() -> st.SearchStrategy[tuple[GenerationMode, Case[Any]]]:
    """Requests of every path, right and wrong, each with how it was meant."""
    described = schemathesis.openapi.from_dict(DESCRIPTION)
    made = [
        st.tuples(st.just(mode), operation.as_strategy(generation_mode=mode))
        for path, methods in DESCRIPTION["paths"].items()
        for operation in [described[path][method] for method in methods]
        for mode in GenerationMode
        # Nothing of a request without parameters can be wrong.
        if mode is GenerationMode.POSITIVE or operation.body or operation.path_parameters
    ]
    return st.one_of(made)


def test_every_described_request_is_answered_as_described(target: Target, figure: Figures) -> None:
    with requests.Session() as session:
        session.trust_env = False

        def check(example: tuple[GenerationMode, Case[Any]]) -> None:
            mode, case = example
            headers = {"authorization": f"Bearer {KEY}"}
            answer = case.call(target.gateway.url, session=session, headers=headers, timeout=ANSWER_SECONDS)
            case.validate_response(answer, checks=CHECKS)
            if mode is GenerationMode.POSITIVE and case.path != "/v1/models/{name}":
                assert answer.status_code == 200, f"{case.body!r}: {answer.text[:500]}"
            target.holds()

        figure("requests made from the API's description", fuzz(check, cases(), SHARE), "requests")
