"""ML models as the host sees them: one question in, one answer out.

A provider is called inside a node process and blocks until it has the whole answer. Asking twice is allowed
and costs twice: no provider remembers answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from patterns_os.errors import PermanentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What is asked: a prompt or a conversation, never both.

    Attributes:
        prompt: Text to go on from, or `None` where `messages` holds the question.
        messages: Turns, oldest first, each with at least `role` and `content`.
        options: What the author gave with the call (`temperature`, `max_tokens`, …), in the words of the
            provider; `timeout_s` is ours.
    """

    prompt: str | None = None
    messages: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> "Completion":
        """Give the completion that a node process asks for as plain data.

        Raises:
            PermanentError: `model-request` where it holds neither or both of `prompt` and `messages`, or
                something that is not a text.
        """
        prompt, messages = request.get("prompt"), request.get("messages")
        if (prompt is None) == (messages is None):
            raise _refused('a model is asked with "prompt" or with "messages", and with one of them only')
        if prompt is not None and not isinstance(prompt, str):
            raise _refused(f'"prompt" is {type(prompt).__name__}, expected text')
        return cls(prompt=prompt, messages=_turns(messages), options=dict(request.get("options") or {}))

    def as_messages(self) -> list[dict[str, Any]]:
        """Give the question as a conversation; a prompt is one turn of the user."""
        if self.prompt is not None:
            return [{"role": "user", "content": self.prompt}]
        return [dict(turn) for turn in self.messages]

    def as_prompt(self) -> str:
        """Give the question as one text: of a conversation, a paragraph a turn, then `assistant:`."""
        if self.prompt is not None:
            return self.prompt
        turns = [f"{turn['role']}: {content_text(turn['content'])}" for turn in self.messages]
        return "\n\n".join([*turns, "assistant:"])

    def last_text(self) -> str:
        """Give the prompt, or the text of the last turn."""
        return self.prompt if self.prompt is not None else content_text(self.messages[-1]["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        text: The answer, exactly as given.
        model: Name of the model as the provider reports it, empty where it doesn't.
        provider: `openai`, `echo`, …: who answered, so that a made-up answer is never taken for a real one.
        usage: Counts by name (`prompt_tokens`, `completion_tokens`, `total_tokens`); empty where unknown.
        raw: The whole reply.
    """

    text: str
    model: str
    provider: str
    usage: Mapping[str, int] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the answer as the plain data that a node process receives; `raw` stays here."""
        return {"text": self.text, "model": self.model, "provider": self.provider, "usage": dict(self.usage)}


class ModelProvider(Protocol):
    """Something that answers.

    One provider serves one model and may be used from several threads.
    """

    def complete(self, request: Completion) -> Answer:
        """Ask, and wait for the whole answer.

        Raises:
            TemporaryError: No answer now (`model-unavailable`, `model-answer`), after tries enough.
            PermanentError: No answer ever, until somebody changes something (`model-credentials`,
                `model-not-found`, `model-request`, `model-type`, `model-endpoint`).
        """

    def close(self) -> None:
        """Let go of connections; may be repeated, and the next question opens new ones."""


def content_text(content: object) -> str:
    """Give the text of a turn's content: itself, or the text parts of a list of parts joined."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else ()
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def _turns(messages: object) -> tuple[Mapping[str, Any], ...]:
    if messages is None:
        return ()
    if not isinstance(messages, list | tuple) or not messages or not all(map(_is_turn, messages)):
        raise _refused(
            '"messages" is a list of turns, each with "role" and "content", and has one turn at least'
        )
    return tuple(messages)


def _is_turn(turn: object) -> bool:
    return isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and "content" in turn


def _refused(message: str) -> PermanentError:
    return PermanentError(message, code="model-request")
