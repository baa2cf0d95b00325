"""A model's VLN API asks by a key derived for that model, and reaches no other one with it."""

from dataclasses import replace

import pytest
from tests.integration.gateway.whole.conftest import KEY, SECRET, Running

from qwen3vl_common.errors import InvalidKey
from qwen3vl_common.keys import KeyRing, derive
from qwen3vl_server.gateway.clients import Client, Clients
from qwen3vl_server.gateway.routes import Route

MINE = derive(SECRET, "vln-to-gateway", "models", "model-m")
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def with_two_models(running: Running) -> None:
    routes = running.gateway.directory.routes
    running.gateway.directory.routes = {**routes, "other": replace(routes["m"], served_name="other", model="model-o")}


async def ask(running: Running, model: str, key: str) -> tuple[int, dict[str, object]]:
    headers = {"authorization": f"Bearer {key}"}
    async with running.http.post("/v1/chat/completions", json=CHAT | {"model": model}, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_it_reaches_its_own_model_only(running: Running) -> None:
    with_two_models(running)
    assert (await ask(running, "m", MINE))[0] == 200
    status, body = await ask(running, "other", MINE)
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")  # type: ignore[index]  # any JSON
    assert (await ask(running, "other", KEY))[0] == 200
    status, body = await ask(running, "nowhere", MINE)
    assert status == 404
    assert "other" not in str(body)


async def test_it_lists_its_own_model_only(running: Running) -> None:
    with_two_models(running)
    headers = {"authorization": f"Bearer {MINE}"}
    async with running.http.get("/v1/models", headers=headers) as answer:
        assert [one["id"] for one in (await answer.json())["data"]] == ["m"]
    async with running.http.get("/v1/models/other", headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "key",
    [
        derive(SECRET, "engine", "models", "model-m"),
        derive(SECRET, "operator-to-vln", "models", "model-m"),
        derive(bytes(32), "vln-to-gateway", "models", "model-m"),
        derive(SECRET, "vln-to-gateway", "models", "gone"),
        "é",
    ],
)
async def test_keys_for_other_purposes_are_unknown(running: Running, key: str) -> None:
    assert (await ask(running, "m", key))[0] == 401


ROUTE = Route("m", "models", "model-m", "stub", None, 0, ())


def headers(key: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {key}".encode()}


def test_the_client_has_a_name_for_logs(tmp_path_factory: pytest.TempPathFactory) -> None:
    clients = Clients(KeyRing(tmp_path_factory.mktemp("keys")), SECRET)
    assert clients.identify(headers(MINE), [ROUTE]) == Client("vln/models/model-m", ("models", "model-m"))
    assert repr(SECRET) not in repr(clients)


def test_without_an_internal_secret_there_is_no_such_client(tmp_path_factory: pytest.TempPathFactory) -> None:
    clients = Clients(KeyRing(tmp_path_factory.mktemp("keys")))
    with pytest.raises(InvalidKey):
        clients.identify(headers(derive(b"", "vln-to-gateway", "models", "model-m")), [ROUTE])
