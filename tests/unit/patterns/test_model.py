import pytest

from patterns import Model, host
from patterns.errors import ModelError, NoHostError


class Recorder:
    """A host that answers every question alike and keeps it."""

    def __init__(self):
        self.asked = []

    def complete(self, model, request):
        self.asked.append((model, request))
        return {"text": "an answer", "model": "m", "provider": "echo", "usage": {}}


@pytest.fixture
def recorder():
    recorder = Recorder()
    with host.use(recorder):
        yield recorder


def test_a_prompt_goes_to_the_model_of_that_name(recorder):
    assert Model("text").complete("Hi", temperature=0) == "an answer"
    assert Model("text")("Hi") == "an answer"
    assert recorder.asked == [
        ("text", {"prompt": "Hi", "options": {"temperature": 0}}),
        ("text", {"prompt": "Hi", "options": {}}),
    ]


def test_a_conversation_goes_as_turns_and_a_text_is_one_turn(recorder):
    turns = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "Hi"}]

    assert Model("text", type="chat").chat(turns, max_tokens=5) == "an answer"
    Model("text").chat("Hi")

    assert recorder.asked == [
        ("text", {"messages": turns, "options": {"max_tokens": 5}}),
        ("text", {"messages": [{"role": "user", "content": "Hi"}], "options": {}}),
    ]


@pytest.mark.parametrize("prompt", [None, 7, {"event": "x"}, b"Hi"])
def test_a_prompt_that_is_no_text_is_refused_before_anybody_is_asked(recorder, prompt):
    with pytest.raises(ModelError) as raised:
        Model("text").complete(prompt)

    assert raised.value.message == (
        f'Model "text" gets a prompt of type {type(prompt).__name__}, expected text'
    )
    assert recorder.asked == []


def test_without_a_host_a_model_says_where_it_runs():
    with pytest.raises(NoHostError):
        Model("text").complete("Hi")


def test_a_model_is_shown_as_it_is_written():
    assert repr(Model("text")) == "Model('text')"
    assert repr(Model("text", type="chat")) == "Model('text', type='chat')"
