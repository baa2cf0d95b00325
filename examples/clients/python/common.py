"""What the example scripts share: options, the client, the picture, and errors that a person can read."""

import argparse
import mimetypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

import openai
import picture
from openai.types.chat import ChatCompletionMessageParam


def options(description: str, question: str) -> argparse.Namespace:
    """The command line: --model, --picture, --question. Address and key come from the environment."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog="OPENAI_BASE_URL: the gateway (http://qwen3vl-gateway.NAMESPACE/v1). OPENAI_API_KEY: your key.",
    )
    parser.add_argument("--model", help="default: the first of /v1/models")
    parser.add_argument("--picture", type=Path, help="a picture file; default: one drawn with three shapes")
    parser.add_argument("--question", default=question)
    return parser.parse_args()


def messages(chosen: argparse.Namespace) -> list[ChatCompletionMessageParam]:
    """One user message: the picture, then the question."""
    if chosen.picture:
        kind = mimetypes.guess_type(chosen.picture.name)[0] or "image/jpeg"
        url = picture.data_url(chosen.picture.read_bytes(), kind)
    else:
        url = picture.data_url(picture.draw())
    return [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": chosen.question},
            ],
        }
    ]


def model(client: openai.OpenAI, chosen: argparse.Namespace) -> str:
    """The model asked for, or the first one served."""
    if chosen.model:
        return str(chosen.model)
    served = client.models.list().data
    if not served:
        sys.exit("no model is served yet: kubectl apply -f examples/simulator.yaml; kubectl get visionmodels")
    return served[0].id


def run(script: Callable[[openai.OpenAI], None]) -> None:
    """Run a script with a client; each error ends it with one line."""
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        if not os.environ.get(variable):
            sys.exit(f"{variable} is not set; see --help")
    try:
        script(openai.OpenAI())
    except openai.APIStatusError as error:
        sys.exit(f"{error.status_code}: {_message(error)}")
    except openai.APIConnectionError as error:
        sys.exit(f"{os.environ['OPENAI_BASE_URL']} cannot be reached: {error.__cause__ or error}")
    except openai.OpenAIError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _message(error: openai.APIStatusError) -> str:
    return str(error.body.get("message", error.message)) if isinstance(error.body, dict) else error.message
