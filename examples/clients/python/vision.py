"""Ask a question about a picture and print the answer."""

import common
import openai

chosen = common.options("Ask about a picture.", "Which shapes and colours do you see?")


def main(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=common.model(client, chosen), messages=common.messages(chosen))
    print(answer.choices[0].message.content)
    if answer.usage:
        print(f"({answer.usage.prompt_tokens} tokens in, {answer.usage.completion_tokens} out)")


common.run(main)
