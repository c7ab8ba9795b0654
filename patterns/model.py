"""ML models: a question goes to whatever patterns.json binds the model to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from patterns import host
from patterns.errors import ModelError


class Model:
    """A model of the app.

    Each call waits for the whole answer and may cost money; the same question asked again is answered anew.

    Args:
        name: As in the manifest's `models`.
        type: What the model does (`chat`, `next-token-text`, …), for the compiler and for people.
    """

    def __init__(self, name: str, type: str | None = None) -> None:  # noqa: A002 - the manifest's word
        self.name = name
        self.type = type

    def __repr__(self) -> str:
        """Show it as it is written in a script."""
        return f"Model({self.name!r})" if self.type is None else f"Model({self.name!r}, type={self.type!r})"

    def __call__(self, prompt: str, **options: Any) -> str:  # noqa: ANN401 - options are the provider's
        """Give what comes after the prompt, as `complete` does."""
        return self.complete(prompt, **options)

    def complete(self, prompt: str, **options: Any) -> str:  # noqa: ANN401 - options are the provider's
        """Give what comes after the prompt.

        Args:
            prompt: Any text.
            **options: Such as `temperature` and `max_tokens`, as the provider names them; `timeout_s` is the
                longest silence to wait through.

        Raises:
            ModelError: The model is not bound, refuses, or does not answer.
        """
        if not isinstance(prompt, str):
            raise _not_text(self.name, "a prompt", prompt)
        return self._ask({"prompt": prompt, "options": options})

    def chat(self, messages: Sequence[Mapping[str, Any]] | str, **options: Any) -> str:  # noqa: ANN401 - as above
        """Give the next turn of a conversation.

        Args:
            messages: Turns, oldest first, each with `role` and `content`; a text is one turn of the user.
            **options: As for `complete`.

        Raises:
            ModelError: As for `complete`.
        """
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return self._ask({"messages": [dict(turn) for turn in turns], "options": options})

    def _ask(self, request: dict[str, Any]) -> str:
        text = host.current().complete(self.name, request)["text"]
        return str(text)


def _not_text(model: str, what: str, given: object) -> ModelError:
    return ModelError(
        f'Model "{model}" gets {what} of type {type(given).__name__}, expected text',
        code="model-request",
        hint="write it out with str() or json.dumps(), or use chat() for a list of turns",
    )
