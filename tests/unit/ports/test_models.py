import pytest

from patterns_os.errors import PermanentError
from patterns_os.ports.models import Answer, Completion, content_text

TURNS = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "Hi"}]


def test_a_prompt_is_one_turn_of_the_user():
    asked = Completion.from_request({"prompt": "Hi", "options": {"temperature": 0}})

    assert asked.as_messages() == [{"role": "user", "content": "Hi"}]
    assert (asked.as_prompt(), asked.last_text(), asked.options) == ("Hi", "Hi", {"temperature": 0})


def test_a_conversation_as_a_prompt_ends_where_the_answer_begins():
    asked = Completion.from_request({"messages": TURNS})

    assert asked.as_messages() == TURNS
    assert asked.as_prompt() == "system: be kind\n\nuser: Hi\n\nassistant:"
    assert asked.last_text() == "Hi"


@pytest.mark.parametrize(
    "request_data",
    [
        {},
        {"prompt": "a", "messages": TURNS},
        {"prompt": 7},
        {"messages": []},
        {"messages": "Hi"},
        {"messages": [{"role": "user"}]},
        {"messages": ["Hi"]},
    ],
    ids=str,
)
def test_what_is_no_question_is_refused(request_data):
    with pytest.raises(PermanentError) as raised:
        Completion.from_request(request_data)

    assert raised.value.code == "model-request"


def test_parts_of_content_without_text_are_left_out():
    assert content_text([{"type": "text", "text": "a"}, {"type": "image_url"}, "x", {"text": "b"}]) == "ab"
    assert content_text(None) == ""


def test_the_whole_reply_stays_out_of_repr_and_json():
    answer = Answer(text="a", model="m", provider="p", raw={"deep": "inside"})

    assert "inside" not in repr(answer)
    assert answer.to_json() == {"text": "a", "model": "m", "provider": "p", "usage": {}}
