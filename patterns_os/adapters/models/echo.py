"""A provider that answers with the question: deterministic, offline, and marked wherever it answers."""

from patterns_os.ports.models import Answer, Completion

MARK = "[echo] "


class EchoModel:
    """Answers `[echo] ` and the question's text; "tokens" are words.

    Args:
        name: What the answers give as their model.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def complete(self, request: Completion) -> Answer:
        """Give the prompt, or the last turn of a conversation, behind the mark."""
        question = request.last_text()
        text = f"{MARK}{question}"
        asked, answered = len(question.split()), len(text.split())
        usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        return Answer(text=text, model=self._name, provider="echo", usage=usage)

    def close(self) -> None:
        """Do nothing: there is no connection."""
