import pytest

from patterns_os.control.ingest import Answer
from patterns_os.service.webhooks import _answered


@pytest.mark.parametrize(
    ("answer", "body", "content_type"),
    [
        (Answer(status=200, body={"a": 1}), b'{"a":1}', "application/json"),
        (Answer(status=200, body=[]), b"[]", "application/json"),
        (Answer(status=202, body="thänks"), "thänks".encode(), "text/plain; charset=utf-8"),
        (Answer(status=204), b"", None),
        (Answer(status=200, body="<a/>", headers={"Content-Type": "text/xml"}), b"<a/>", "text/xml"),
    ],
)
def test_an_answer_is_a_text_or_json_or_nothing(answer, body, content_type):
    response = _answered(answer)

    assert (response.status_code, response.body) == (answer.status, body)
    assert response.headers.get("content-type") == content_type


def test_a_pause_and_further_headers_are_told():
    response = _answered(Answer(status=429, body={}, retry_after_s=2, headers={"X-A": "b"}))

    assert (response.headers["retry-after"], response.headers["x-a"]) == ("2", "b")


def test_headers_never_break_an_answer():
    response = _answered(Answer(status=200, body="ok", headers={"Content-Length": "99", "x-a": "✓"}))

    assert (response.headers["content-length"], response.headers["x-a"]) == ("2", "?")


def test_what_came_before_is_told_by_a_header():
    assert _answered(Answer(status=200, body="ok", is_repeat=True)).headers["patterns-repeat"] == "true"
    assert "patterns-repeat" not in _answered(Answer(status=200, body="ok")).headers
