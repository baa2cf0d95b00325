"""From a parsed request to the text that will be sent: blocking and without HTTP, run in a thread by `app`."""

from dataclasses import dataclass

import orjson

from qwen3vl_common.image_tokens import MARK_TOKENS, image_tokens

from . import answer, navigation, pictures, schema, tokens, vision
from .errors import BadRequestError, NotFoundError
from .hints import Sight
from .pictures import Picture
from .protocol import ChatRequest, CompletionRequest, Json, Message, ResponseFormat


@dataclass(frozen=True)
class Reply:
    """A finished answer, before it is paced: its tokens, why it ends, and what it was asked with."""

    pieces: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int
    images: int

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True)
class Model:
    """The one model this engine pretends to serve; `drives`: it answers navigation schemas by its own sight."""

    name: str
    context_length: int
    max_pixels: int = pictures.MAX_PIXELS
    drives: bool = False

    def chat(self, request: ChatRequest) -> Reply:
        """Answer a chat.

        Raises:
            ApiError: the request is wrong, speaks of another model or does not fit the context.
        """
        self._check(request)
        if request.tools and request.tool_choice != "none":
            raise BadRequestError("tools need a tool-call parser, which this engine was started without", param="tools")
        if request.logprobs:
            raise BadRequestError("log probabilities are switched off", param="logprobs")
        texts, images = self._contents(request.messages)
        prompt = tokens.REPLY_TOKENS + tokens.MESSAGE_TOKENS * len(request.messages)
        prompt += sum(tokens.count(text, enough=self.context_length) for text in texts)
        prompt += sum(self._image_tokens(image) for image in images)
        self._fits(prompt)
        question = texts[-1] if texts else ""
        form = request.response_format
        if self.drives and images and form and form.json_schema and navigation.is_asked_for(form.json_schema.schema_):
            seen = [pictures.decode(image) for image in images]
            decision = navigation.answer(form.json_schema.schema_, seen, question)
            text = orjson.dumps(decision).decode()
        elif self.drives and images and form is None and navigation.is_asked_in_words(texts):
            text = navigation.sentence([pictures.decode(image) for image in images], texts)
        else:
            text = _text(form, [self._look(image) for image in images], question)
        limit = request.max_completion_tokens or request.max_tokens
        return self._reply(text, request.stop, limit, prompt, len(images))

    def completion(self, request: CompletionRequest) -> Reply:
        """Continue a plain text; there is nothing to see, so it is repeated.

        Raises:
            ApiError: as `chat`.
        """
        self._check(request)
        prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        if len(prompts) != 1:
            raise BadRequestError("give one prompt per request", param="prompt")
        if request.logprobs:
            raise BadRequestError("log probabilities are switched off", param="logprobs")
        prompt = tokens.count(prompts[0], enough=self.context_length)
        self._fits(prompt)
        return self._reply(answer.reply([], prompts[0]), request.stop, request.max_tokens or 16, prompt, 0)

    def _check(self, request: ChatRequest | CompletionRequest) -> None:
        if request.model != self.name:
            raise NotFoundError(
                f"no model {request.model!r} here, only {self.name!r}", param="model", code="model_not_found"
            )
        if request.n not in (None, 1):
            raise BadRequestError("the simulator gives one choice per request", param="n")

    def _contents(self, messages: list[Message]) -> tuple[list[str], list[Picture]]:
        texts: list[str] = []
        images: list[Picture] = []
        for number, message in enumerate(messages):
            if isinstance(message.content, str):
                texts.append(message.content)
            for place, part in enumerate(message.content if isinstance(message.content, list) else ()):
                param = f"messages.{number}.content.{place}"
                content = _part(part, param)
                if isinstance(content, str):
                    texts.append(content)
                else:
                    url, param = content
                    images.append(pictures.from_data_url(url, param=param, max_pixels=self.max_pixels))
        return texts, images

    def _image_tokens(self, image: Picture) -> int:
        try:
            return image_tokens(image.width, image.height) + MARK_TOKENS
        except ValueError as error:
            raise BadRequestError(str(error), param=image.param, code="invalid_image") from None

    def _fits(self, prompt: int) -> None:
        if prompt >= self.context_length:
            raise BadRequestError(
                f"the prompt has at least {prompt} tokens; the context holds {self.context_length} with the answer",
                param="messages",
                code="context_length_exceeded",
            )

    def _look(self, image: Picture) -> vision.Scene:
        return vision.look(pictures.decode(image))

    def _reply(self, text: str, stop: str | list[str] | None, limit: int | None, prompt: int, images: int) -> Reply:
        for ending in [stop] if isinstance(stop, str) else stop or ():
            if ending:
                text = text.partition(ending)[0]
        room = min(limit or self.context_length, self.context_length - prompt)
        whole = tokens.pieces(text)
        return Reply(tuple(whole[:room]), "length" if len(whole) > room else "stop", prompt, images)


def literal(text: str, reply: Reply) -> Reply:
    """The same exchange with another text, uncut: what the fault `reply` sends."""
    return Reply(tuple(tokens.pieces(text)), "stop", reply.prompt_tokens, reply.images)


def _part(part: Json, param: str) -> str | tuple[str, str]:
    kind = part.get("type")
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise BadRequestError("a text part needs its text", param=f"{param}.text")
        return str(part["text"])
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if not isinstance(url, str):
            raise BadRequestError("image_url is {'url': 'data:image/...;base64,...'}", param=f"{param}.image_url")
        return url, f"{param}.image_url.url"
    raise BadRequestError(
        f"a content part of type {kind!r} is not understood; text and image_url are", param=f"{param}.type"
    )


def _text(form: ResponseFormat | None, scenes: list[vision.Scene], question: str) -> str:
    if form is None or form.type == "text":
        return answer.reply(scenes, question)
    if form.type == "json_object":
        return orjson.dumps(answer.as_object(scenes, question)).decode()
    if form.json_schema is None:
        raise BadRequestError("json_schema is missing", param="response_format.json_schema")
    sight = Sight(scenes[-1] if scenes else None, answer.reply(scenes, question))
    return orjson.dumps(schema.fill(form.json_schema.schema_, sight)).decode()
