"""Asks about a picture by langchain-openai, run by its own environment: `ask_langchain.py URL KEY PICTURE`."""

import json
import sys

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

url, key, picture = sys.argv[1:]
SHAPES = {
    "title": "shapes",
    "description": "what is drawn",
    "type": "object",
    "properties": {"count": {"type": "integer"}, "background_color": {"type": "string"}},
    "required": ["count", "background_color"],
    "additionalProperties": False,
}
PARTS = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "What do you see?"}]
question = HumanMessage(PARTS)
model = ChatOpenAI(model="m", base_url=url, api_key=key, max_retries=0)
first = model.invoke([question])
pieces = [piece.content for piece in model.stream([question])]
again = model.invoke([question, first, HumanMessage("And now?")])
structured = model.with_structured_output(SHAPES, method="json_schema").invoke([question])
answers = {
    "whole": first.content,
    "streamed": "".join(pieces),
    "pieces": len(pieces),
    "again": bool(again.content),
    "structured": structured,
}
print(json.dumps(answers))
