"""Ask a question about a picture and print the answer while it is written."""

import common
import openai

chosen = common.options("Ask about a picture, streamed.", "Describe the picture.")


def main(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=common.model(client, chosen),
        messages=common.messages(chosen),
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        for choice in chunk.choices:
            print(choice.delta.content or "", end="", flush=True)
        if chunk.usage:
            print(f"\n({chunk.usage.prompt_tokens} tokens in, {chunk.usage.completion_tokens} out)")


common.run(main)
