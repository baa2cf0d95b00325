"""Bodies that are almost right: each is answered as documented, and the engine gets what it may."""

import http.client

from tests.support.figures import Figures
from tests.support.fuzzing import Target, fuzz
from tests.support.gateway_process import KEY
from tests.support.http_answers import Answer
from tests.support.json_mutations import bodies

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
SHARE = 0.25
ANSWER_SECONDS = 20


def test_every_mutated_body_is_answered_as_documented(target: Target, figure: Figures) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.gateway.port, timeout=ANSWER_SECONDS)

    def check(example: tuple[str, bytes]) -> None:
        path, body = example
        try:
            connection.request("POST", f"/v1/{path}", body, HEADERS)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            target.documented(Answer(response.status, headers, response.read()))
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        target.holds()

    figure("mutated JSON bodies answered as documented", fuzz(check, bodies(), SHARE), "bodies")
    connection.close()
