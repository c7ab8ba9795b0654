"""Models are asked over real HTTP: a local server plays back replies and keeps what it was sent."""

import json
import logging
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from patterns_os.adapters.models.endpoint import target_of
from patterns_os.adapters.models.openai_compatible import RETRIES, OpenAICompatibleModel
from patterns_os.errors import PermanentError, TemporaryError
from patterns_os.ports.models import Completion

KEY = "sk-very-secret-0123456789"


class Server:
    """Plays `replies` (status, headers, body) in order, the last one for ever."""

    def __init__(self):
        self.replies = [(200, {}, chat("Hello"))]
        self.requests = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), json.loads(body)))
                status, headers, content = server.replies[min(len(server.requests), len(server.replies)) - 1]
                content = content if isinstance(content, bytes) else json.dumps(content).encode()
                if status is None:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


def chat(text):
    return {
        "model": "served",
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "details": {"cached": 1}},
    }


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def ask(server):
    """Give a function that asks a new model; `ask.pauses` are the seconds it waited."""
    models, pauses = [], []

    def ask(request=None, model_type="chat", endpoint=None, **given):
        model = OpenAICompatibleModel(
            **{
                "name": "text",
                "model": "small",
                "target": target_of(endpoint or server.url, model_type),
                "key": KEY,
                "key_name": "MODEL_KEY",
                "sleep": pauses.append,
                "jitter": lambda: 1.0,
                **given,
            }
        )
        models.append(model)
        return model.complete(request or Completion(prompt="Hi"))

    ask.pauses = pauses
    yield ask
    for model in models:
        model.close()


def test_a_chat_model_is_asked_with_messages_the_key_and_the_options(server, ask):
    answer = ask(
        Completion(prompt="Hi", options={"temperature": 0}), options={"max_tokens": 9, "temperature": 1}
    )

    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {
        "max_tokens": 9,
        "temperature": 0,
        "model": "small",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert (answer.text, answer.model, answer.provider) == ("Hello", "served", "openai")
    assert answer.usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_next_token_model_is_asked_with_a_prompt(server, ask):
    server.replies = [(200, {}, {"choices": [{"text": " world"}]})]

    answer = ask(model_type="next-token-text")

    path, _, body = server.requests[0]
    assert (path, body) == ("/v1/completions", {"model": "small", "prompt": "Hi"})
    assert (answer.text, answer.model, answer.usage) == (" world", "small", {})


def test_a_conversation_with_a_next_token_model_becomes_one_prompt(server, ask):
    server.replies = [(200, {}, {"choices": [{"text": "4"}]})]

    ask(Completion(messages=[{"role": "user", "content": "2 + 2?"}]), model_type="next-token-text")

    assert server.requests[0][2]["prompt"] == "user: 2 + 2?\n\nassistant:"


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/"])
def test_base_and_whole_address_reach_the_same_place(server, ask, ending):
    ask(endpoint=server.url + ending)

    assert server.requests[0][0] == "/v1/chat/completions"


def test_the_query_of_an_endpoint_is_kept(server, ask):
    ask(endpoint=f"{server.url}?api-version=2")

    assert server.requests[0][0] == "/v1/chat/completions?api-version=2"


def test_the_bound_name_wins_over_the_name_in_the_call_and_without_one_the_call_decides(server, ask):
    ask(Completion(prompt="Hi", options={"model": "gpt3"}))
    ask(Completion(prompt="Hi", options={"model": "gpt3"}), model=None)

    assert [body["model"] for _, _, body in server.requests] == ["small", "gpt3"]


def test_without_a_key_no_authorization_is_sent(server, ask):
    ask(key=None, key_name=None)

    assert "Authorization" not in server.requests[0][1]


def test_parts_of_content_are_joined(server, ask):
    server.replies = [(200, {}, chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))]

    assert ask().text == "ab"


@pytest.mark.parametrize("status", [429, 500, 503, None])
def test_what_may_pass_is_tried_again_after_growing_pauses(server, ask, status):
    server.replies = [(status, {}, {}), (status, {}, {}), (200, {}, chat("late"))]

    assert ask().text == "late"
    assert ask.pauses == [0.5, 1.0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": "Fri, 02 Jan 2026 10:00:07 GMT", "X-Dated": "yes"},
    ],
    ids=["seconds", "date"],
)
def test_the_pause_that_the_server_asks_for_is_kept(server, ask, headers, monkeypatch):
    # The date counts from the server's own clock.
    monkeypatch.setattr(
        BaseHTTPRequestHandler, "date_time_string", lambda *_: "Fri, 02 Jan 2026 10:00:00 GMT"
    )
    server.replies = [(429, headers, {}), (200, {}, chat("late"))]

    assert ask().text == "late"
    assert ask.pauses == [7.0]


def test_after_three_retries_it_is_not_available(server, ask):
    server.replies = [(503, {}, {"error": {"message": f"overloaded,\n {KEY}"}})]

    with pytest.raises(TemporaryError) as raised:
        ask()

    assert raised.value.code == "model-unavailable"
    assert raised.value.message == (
        f'model "text" at {server.url}/chat/completions is not available: '
        "status 503 (overloaded, ***MODEL_KEY***)"
    )
    assert len(server.requests) == RETRIES + 1
    assert ask.pauses == [0.5, 1.0, 2.0]


def test_a_long_pause_is_left_to_the_run(server, ask):
    server.replies = [(429, {"Retry-After": "3600"}, {})]

    with pytest.raises(TemporaryError) as raised:
        ask()

    assert raised.value.message.endswith("is not available: status 429 and asks for 3600 s")
    assert (len(server.requests), ask.pauses) == (1, [])


def test_a_server_that_is_not_there_is_not_available(server, ask):
    server.close()

    with pytest.raises(TemporaryError) as raised:
        ask()

    assert raised.value.code == "model-unavailable"
    assert len(ask.pauses) == RETRIES


def test_silence_is_not_tried_again(ask):
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), BaseHTTPRequestHandler
    ) as silent:  # accepts, and serves nobody
        endpoint = f"http://127.0.0.1:{silent.server_port}"
        with pytest.raises(TemporaryError) as raised:
            ask(Completion(prompt="Hi", options={"timeout_s": 0.05}), endpoint=endpoint)

    assert raised.value.message == f'model "text" at {endpoint}/chat/completions has not answered for 0.05 s'
    assert ask.pauses == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_the_secret(server, ask, status):
    server.replies = [(status, {}, {"error": {"message": f"Incorrect API key: {KEY}"}})]

    with pytest.raises(PermanentError) as raised:
        ask()

    assert raised.value.code == "model-credentials"
    assert raised.value.message == (
        f'model "text" at {server.url}/chat/completions does not accept '
        f'the key in secret "MODEL_KEY": status {status}'
    )
    assert raised.value.hint == "set the right one with `patterns secret set MODEL_KEY`"


def test_a_wanted_key_that_nobody_named_is_explained(server, ask):
    server.replies = [(401, {}, {})]

    with pytest.raises(PermanentError, match="wants a key and gets none: status 401"):
        ask(key=None, key_name=None)


def test_a_model_that_is_not_there_is_not_found(server, ask):
    server.replies = [(404, {}, {})]

    with pytest.raises(PermanentError) as raised:
        ask()

    assert raised.value.code == "model-not-found"
    assert raised.value.message == (
        f'model "text" at {server.url}/chat/completions is not found there (it asks for "model": "small")'
    )


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (
            (400, {}, {"error": {"message": f"bad {KEY}"}}),
            "model-request",
            "status 400 (bad ***MODEL_KEY***)",
        ),
        ((422, {}, {"error": "no"}), "model-request", "status 422 (no)"),
        ((400, {}, b"<html>"), "model-request", "status 400"),
        ((307, {"Location": "https://elsewhere.example"}, {}), "model-endpoint", "is not there: status 307"),
    ],
)
def test_a_refused_request_is_permanent_and_says_why(server, ask, reply, code, said):
    server.replies = [reply]

    with pytest.raises(PermanentError) as raised:
        ask()

    assert (raised.value.code, len(server.requests)) == (code, 1)
    assert raised.value.message.endswith(said)


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b"null", b"7", {}, {"choices": []}, {"choices": [{}]}, chat(None), chat(7)],
    ids=repr,
)
def test_a_reply_without_text_is_temporary(server, ask, body):
    server.replies = [(200, {}, body)]

    with pytest.raises(TemporaryError) as raised:
        ask()

    assert raised.value.code == "model-answer"
    assert (
        raised.value.message == f'model "text" at {server.url}/chat/completions gives a reply without a text'
    )


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, None])
def test_the_key_is_in_no_error_log_or_repr(server, ask, status, caplog):
    caplog.set_level(logging.DEBUG)
    body = chat(None) if status == 200 else {"error": {"message": f"your key {KEY}"}}
    server.replies = [(status, {}, body)]

    with pytest.raises((PermanentError, TemporaryError)) as raised:
        ask()

    shown = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(raised.value)
    assert KEY not in shown
    model = OpenAICompatibleModel(name="text", model=None, target=target_of(server.url, "chat"), key=KEY)
    assert repr(model) == f"OpenAICompatibleModel(name='text', url='{server.url}/chat/completions')"


@pytest.mark.parametrize("key", ["two\nlines", "späte", "a b", "tab\there"])
def test_a_key_that_no_header_holds_is_refused_unseen(ask, key):
    with pytest.raises(PermanentError) as raised:
        ask(key=key)

    assert raised.value.code == "model-credentials"
    assert key not in str(raised.value)


def test_white_space_around_a_key_does_not_count(server, ask):
    ask(key=f" {KEY}\n")

    assert server.requests[0][1]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stream": True}, "gives whole answers only"),
        ({"timeout_s": 0}, 'has "timeout_s": 0, expected seconds above 0'),
        ({"stop": {1, 2}}, "can't be asked, as the request is no JSON: Type is not JSON serializable: set"),
    ],
)
def test_options_that_make_no_sense_are_refused(server, ask, options, said):
    with pytest.raises(PermanentError) as raised:
        ask(Completion(prompt="Hi", options=options))

    assert raised.value.code == "model-request"
    assert raised.value.message == f'model "text" at {server.url}/chat/completions {said}'
    assert server.requests == []


def test_a_closed_model_can_be_asked_again(server):
    model = OpenAICompatibleModel(name="text", model=None, target=target_of(server.url, "chat"))
    model.complete(Completion(prompt="one"))
    model.close()
    model.close()
    model.complete(Completion(prompt="two"))
    model.close()

    assert [body["messages"][0]["content"] for _, _, body in server.requests] == ["one", "two"]
