"""Keys, kinds of body, methods and paths that are wrong: each gets its status and code, and an engine sees only what is
right."""

import asyncio
import gzip
import hashlib
import json

import pytest
from tests.integration.gateway.whole.conftest import KEY, Running

PATH = "/v1/chat/completions"
ASK = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
HASHED = hashlib.sha256(b"hashed-key").hexdigest()
UMLAUT = "schlüssel"


async def sent(running: Running, line: str, headers: list[bytes], body: bytes = b"") -> tuple[int, str | None]:
    """Status and code of the answer to bytes as they are given."""
    host, _, port = running.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [line.encode(), b"host: g", *headers, b"connection: close", b"content-length: %d" % len(body), b"", body]
    writer.write(b"\r\n".join(lines))
    async with asyncio.timeout(5):
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    error = json.loads(content).get("error", {}) if content else {}
    return int(head.split()[1]), error.get("code")


@pytest.fixture
def with_keys(running: Running) -> Running:
    """One client has its key as a hash, another one beyond ASCII."""
    ring = running.gateway.clients.users
    assert ring is not None
    (ring.directory / "hashed").write_text(f"sha256:{HASHED}")
    (ring.directory / "umlaut").write_text(UMLAUT)
    ring.reload()
    return running


REFUSED_KEYS: dict[str, list[bytes]] = {
    "none": [],
    "an empty header": [b"authorization:"],
    "no key behind the scheme": [b"authorization: Bearer"],
    "an empty key": [b"authorization: Bearer  "],
    "a wrong one": [b"authorization: Bearer wrong"],
    "the beginning of the right one": [f"authorization: Bearer {KEY[:-1]}".encode()],
    "the right one and more": [f"authorization: Bearer {KEY} x".encode()],
    "no scheme": [f"authorization: {KEY}".encode()],
    "Basic": [b"authorization: Basic cm9ib3Qta2V5Og=="],
    "the text of a hash": [f"authorization: Bearer sha256:{HASHED}".encode()],
    "a hash": [f"authorization: Bearer {HASHED}".encode()],
    "an umlaut as latin-1": ["authorization: Bearer schlüssel".encode("latin-1")],
    "a header of another API": [f"x-api-key: {KEY}".encode(), f"api-key: {KEY}".encode()],
}


@pytest.mark.parametrize("name", REFUSED_KEYS)
@pytest.mark.parametrize("line", [f"POST {PATH} HTTP/1.1", "GET /v1/models HTTP/1.1", "GET /v1/models/m HTTP/1.1"])
async def test_a_key_is_refused(with_keys: Running, line: str, name: str) -> None:
    body = ASK if line.startswith("POST") else b""
    assert await sent(with_keys, line, REFUSED_KEYS[name], body) == (401, "invalid_api_key")
    assert with_keys.engine.requests == []


TAKEN_KEYS: dict[str, list[bytes]] = {
    "as it is": [f"authorization: Bearer {KEY}".encode()],
    "the scheme in small letters": [f"authorization: bearer {KEY}".encode()],
    "known by its hash": [b"authorization: Bearer hashed-key"],
    "an umlaut as UTF-8": [f"authorization: Bearer {UMLAUT}".encode()],
}


@pytest.mark.parametrize("name", TAKEN_KEYS)
async def test_a_key_is_taken(with_keys: Running, name: str) -> None:
    assert await sent(with_keys, f"POST {PATH} HTTP/1.1", TAKEN_KEYS[name], ASK) == (200, None)
    assert len(with_keys.engine.requests) == 1


BODIES: dict[str, tuple[list[bytes], bytes, int, str | None]] = {
    "a form of parts": ([b"content-type: multipart/form-data; boundary=x"], ASK, 415, "unsupported_media_type"),
    "a form": ([b"content-type: application/x-www-form-urlencoded"], b"model=m", 415, "unsupported_media_type"),
    "a compressed one": ([b"content-encoding: gzip"], gzip.compress(ASK), 415, "unsupported_media_type"),
    "another compression": ([b"content-encoding: br"], ASK, 415, "unsupported_media_type"),
    "compressed twice": ([b"content-encoding: gzip, identity"], ASK, 415, "unsupported_media_type"),
    "compressed without saying so": ([], gzip.compress(ASK), 400, "invalid_json"),
    "called text": ([b"content-type: text/plain"], ASK, 200, None),
    "called nothing": ([], ASK, 200, None),
    "with its character set": ([b"content-type: application/json; charset=utf-8"], ASK, 200, None),
    "said to be uncompressed": ([b"content-encoding: identity"], ASK, 200, None),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_kind_of_body(running: Running, name: str) -> None:
    headers, body, status, code = BODIES[name]
    headers = [f"authorization: Bearer {KEY}".encode(), *headers]
    assert await sent(running, f"POST {PATH} HTTP/1.1", headers, body) == (status, code)
    assert len(running.engine.requests) == (status == 200)


PATHS: dict[str, tuple[int, str | None]] = {
    "HEAD /health": (200, None),
    "HEAD /ready": (200, None),
    "HEAD /v1/models": (405, None),
    "OPTIONS /v1/chat/completions": (405, "method_not_allowed"),
    "OPTIONS /v1/models": (405, "method_not_allowed"),
    "TRACE /v1/models": (405, "method_not_allowed"),
    "PUT /v1/chat/completions": (405, "method_not_allowed"),
    "GET /v1/completions": (405, "method_not_allowed"),
    "POST /health": (405, "method_not_allowed"),
    "POST //v1/chat/completions": (404, "unknown_path"),
    "POST /v1//chat/completions": (404, "unknown_path"),
    "POST /v1/chat/completions/": (404, "unknown_path"),
    "POST /V1/chat/completions": (404, "unknown_path"),
    "POST /v1/chat/completions%00": (404, "unknown_path"),
    "POST /v1/chat/completions;x": (404, "unknown_path"),
    "POST /x/../v1/chat/completions": (404, "unknown_path"),
    "GET /v1/chat/../models": (404, "unknown_path"),
    "GET /%2e%2e/%2e%2e/etc/passwd": (404, "unknown_path"),
    "POST /v1/responses": (404, "unknown_path"),
    "POST /v1/embeddings": (404, "unknown_path"),
    "POST /v1/audio/transcriptions": (404, "unknown_path"),
    "POST /generate": (404, "unknown_path"),
    "POST /pause": (404, "unknown_path"),
    "GET /metrics": (404, "unknown_path"),
    "GET /docs": (404, "unknown_path"),
    "GET /openapi.json": (404, "unknown_path"),
    "GET /v1/models/other": (404, "model_not_found"),
    "GET /v1/models/a/b": (404, "model_not_found"),
    "GET /v1/models/../../m": (404, "model_not_found"),
    "GET /v1/models/%3Cscript%3E": (404, "model_not_found"),
    "GET http://elsewhere/v1/models": (200, None),
}


@pytest.mark.parametrize("asked", PATHS)
async def test_a_path(running: Running, asked: str) -> None:
    headers = [f"authorization: Bearer {KEY}".encode()]
    body = ASK if asked.startswith("POST") else b""
    assert await sent(running, f"{asked} HTTP/1.1", headers, body) == PATHS[asked]
    assert running.engine.requests == []


@pytest.mark.parametrize("name", ["a\x00b", "a\r\nx: y", "<script>", "m ", "M", "../m", "m" * 100_000, "\u202em"])
async def test_the_name_of_a_model_that_does_not_exist(running: Running, name: str) -> None:
    body = json.dumps({"model": name, "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = [f"authorization: Bearer {KEY}".encode()]
    assert await sent(running, f"POST {PATH} HTTP/1.1", headers, body) == (404, "model_not_found")
    assert running.engine.requests == []


@pytest.mark.parametrize("path", ["Qwen/Qwen3-VL", "Qwen%2FQwen3-VL", "Qwen%2fQwen3%2DVL"])
async def test_a_model_whose_name_has_a_slash_is_found(running: Running, path: str) -> None:
    routes = running.gateway.directory.routes
    running.gateway.directory.routes = {"Qwen/Qwen3-VL": routes["m"]}
    headers = [f"authorization: Bearer {KEY}".encode()]
    assert await sent(running, f"GET /v1/models/{path} HTTP/1.1", headers) == (200, None)
