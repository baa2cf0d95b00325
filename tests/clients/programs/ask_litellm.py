"""Asks about a picture by litellm, run by its own environment: `ask_litellm.py URL KEY PICTURE`; prints JSON."""

import asyncio
import json
import sys

import litellm

url, key, picture = sys.argv[1:]
PARTS = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "What do you see?"}]
ASK = {"model": "openai/m", "api_base": url, "api_key": key, "messages": [{"role": "user", "content": PARTS}]}


async def later() -> str:
    return str((await litellm.acompletion(**ASK)).choices[0].message.content)


first = litellm.completion(**ASK).choices[0].message
pieces = [piece.choices[0].delta.content or "" for piece in litellm.completion(stream=True, **ASK)]
history = [*ASK["messages"], first.model_dump(), {"role": "user", "content": "And now?"}]
again = litellm.completion(**ASK | {"messages": history})
try:
    litellm.completion(**ASK | {"api_key": "wrong"}, num_retries=0)
    refused = ""
except litellm.AuthenticationError as error:
    refused = type(error).__name__
answers = {
    "whole": first.content,
    "streamed": "".join(pieces),
    "pieces": len(pieces),
    "asynchronous": asyncio.run(later()),
    "again": bool(again.choices[0].message.content),
    "refused": refused,
}
print(json.dumps(answers))
