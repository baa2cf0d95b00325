"""A rolling restart of the gateway loses nothing: not the stream that runs, not the requests that begin meanwhile."""

from tests.support.polling import eventually
from tests.support.release import Client, Release, Simulator

MODEL = "simulator"
NUMBERS = " ".join(str(number) for number in range(1500))


def test_a_rolling_restart_loses_nothing(client: Client, release: Release, simulator: Simulator) -> None:
    namespace = release.namespace
    old = eventually(lambda: namespace.ready_pod("gateway"), 60, "the gateway is Ready")["metadata"]
    simulator.fault("reply", text=NUMBERS, count=1)
    stream = client.begin("chat", model=MODEL, stream=True)
    eventually(lambda: release.gauge("qwen3vl_gateway_in_flight") == 1, 20, "the stream runs")
    asking = client.begin("repeat", model=MODEL, seconds=20)
    namespace.kubectl("rollout", "restart", "deployment/qwen3vl-gateway")
    namespace.kubectl("rollout", "status", "deployment/qwen3vl-gateway", "--timeout=60s")
    eventually(lambda: namespace.find("pods", old["name"]) is None, 60, "the old gateway's pod is gone")
    streamed = stream.result(60)
    assert streamed["error"] is None
    assert streamed["content"] == NUMBERS
    assert streamed["finish"] == "stop"
    answers = asking.result(60)
    assert len(answers) > 10
    assert not [answer["error"] for answer in answers if answer["error"]]
