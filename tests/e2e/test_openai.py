"""The official client in a pod of the cluster: answers, and errors in OpenAI's shape."""

import pytest
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Client, Release, Simulator

MODEL = "simulator"
LONG = " ".join(str(number) for number in range(2000))


def test_models_are_listed(client: Client) -> None:
    assert MODEL in client("models")


def test_text(client: Client) -> None:
    answer = client("chat", model=MODEL, text="Say hello to the night watch.")
    assert "night watch" in answer["content"]
    assert answer["finish"] == "stop"
    assert answer["usage"]["completion_tokens"] > 0


def test_a_picture_is_seen(client: Client, figure: Figures) -> None:
    answer = client("chat", model=MODEL, with_picture=True)
    figure("picture answered (simulator)", answer["seconds"], "s")
    assert "2 red circles" in answer["content"] and "1 blue square" in answer["content"]
    without = client("chat", model=MODEL)
    # 640 x 480 pixels are 20 x 15 tokens of 32 x 32 pixels.
    assert answer["usage"]["prompt_tokens"] - without["usage"]["prompt_tokens"] >= 300


def test_a_stream_arrives_in_pieces(client: Client) -> None:
    whole = client("chat", model=MODEL, with_picture=True)
    stream = client("chat", model=MODEL, with_picture=True, stream=True)
    assert stream["content"] == whole["content"]
    assert stream["pieces"] > 5
    assert stream["finish"] == "stop"
    assert stream["usage"] == whole["usage"]
    assert stream["first_token_seconds"] < stream["seconds"]


def test_an_object_of_a_json_schema(client: Client) -> None:
    assert client("structured", model=MODEL) == {"count": 3, "background_color": "white"}


def test_a_wrong_key_is_refused(client: Client) -> None:
    error = client("chat", model=MODEL, key="sk-wrong")["error"]
    assert (error["exception"], error["status"]) == ("AuthenticationError", 401)
    assert error["body"]["code"] == "invalid_api_key"
    assert "sk-wrong" not in error["message"]


def test_an_unknown_model_is_answered_with_the_known_ones(client: Client) -> None:
    error = client("chat", model="gpt-4o")["error"]
    assert (error["exception"], error["status"]) == ("NotFoundError", 404)
    assert (error["body"]["code"], error["body"]["param"]) == ("model_not_found", "model")
    assert MODEL in error["message"]


@pytest.mark.parametrize("abruptly", [False, True], ids=["deleted", "killed"])
def test_a_dead_engine_is_unavailable_until_its_next_pod_is_ready(
    client: Client, release: Release, figure: Figures, abruptly: bool
) -> None:
    release.namespace.wait_ready(MODEL)
    answered = release.gauge("qwen3vl_gateway_requests_total")
    asking = client.begin("repeat", model=MODEL, seconds=60, until_answered_again=True)
    eventually(lambda: release.gauge("qwen3vl_gateway_requests_total") > answered, 20, "requests arrive")
    if abruptly:
        # Killed like this the pod's address is still routed to for a moment.
        release.namespace.delete("pods", f"{MODEL}-engine-0", gracePeriodSeconds=0)
    else:
        release.namespace.delete("pods", f"{MODEL}-engine-0")
    results = asking.result(90)
    errors = [result["error"] for result in results if result["error"]]
    unavailable = [error for error in errors if error.get("status") == 503]
    assert unavailable, errors
    for error in unavailable:
        assert int(error["retry_after"]) > 0
        assert error["body"]["code"] == "model_unavailable"
    # A request that the engine took with it into death is the engine's failure, not the gateway's.
    assert {error.get("status") for error in errors} <= {502, 503}, errors
    assert not results[-1]["error"], "it never answered again"
    figure("engine pod deleted until it answers again", sum(r["seconds"] + 0.05 for r in results if r["error"]), "s")
    release.namespace.wait_ready(MODEL)


def test_the_engine_sees_that_the_client_left(client: Client, simulator: Simulator, figure: Figures) -> None:
    simulator.fault("reply", text=LONG, count=1)
    url, key = simulator.address("/simulator/stats")
    seconds = client("abandon", model=MODEL, stats_url=url, stats_key=key)
    figure("client gone until the engine counts a cancelled request", seconds, "s", goal=1)
    assert seconds < 5
    assert simulator.stats()["in_flight"] == 0
