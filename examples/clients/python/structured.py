"""Ask about a picture and get a typed object instead of text: the model can only answer in this form."""

import common
import openai
from pydantic import BaseModel

chosen = common.options("Ask about a picture, answered as JSON.", "Count the shapes and name their colours.")


class Shape(BaseModel):
    color: str
    shape: str


class Answer(BaseModel):
    count: int
    background_color: str
    shapes: list[Shape]
    description: str


def main(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=common.model(client, chosen),
        messages=common.messages(chosen),
        response_format=Answer,
    )
    message = answer.choices[0].message
    print(message.parsed.model_dump_json(indent=2) if message.parsed else message.content)


common.run(main)
