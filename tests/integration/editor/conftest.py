"""An editor's side of the protocol, over pipes: it waits for nothing longer than `PATIENCE_S`."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

PATIENCE_S = 15


class Editor:
    """Opens files, types in them, asks, and keeps what the server says."""

    def __init__(self, capabilities=None):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "patterns_os", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        )
        self.published, self.logged, self.requested, self.versions = {}, [], [], {}
        self._inbox, self._answers, self._number, self._errors = queue.Queue(), {}, 0, []
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()
        self.initialized = self.ask("initialize", {"processId": None, "capabilities": capabilities or {}})
        self.tell("initialized", {})

    @property
    def errors(self):
        return b"".join(self._errors).decode()

    def open(self, path, text=None):
        text = path.read_text("utf-8") if text is None else text
        self.versions[path] = 1
        item = {"uri": path.as_uri(), "languageId": "x", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def type(self, path, text):
        self.versions[path] += 1
        document = {"uri": path.as_uri(), "version": self.versions[path]}
        self.published.pop(path.as_uri(), None)
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def close(self, path):
        self.published.pop(path.as_uri(), None)
        self.tell("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})

    def findings(self, path, wanted=lambda found: True):
        """Give the findings of a file, as soon as there are some that are wanted."""
        return (
            self._wait(lambda: (found := self.published.get(path.as_uri())) is not None and wanted(found))
            and (self.published[path.as_uri()])
        )

    def at(self, method, path, marked, **more):
        """Ask about the place of the cursor, which a "|" marks in the text that the file has."""
        position = position_of(marked, marked.index("|"))
        return self.ask(
            f"textDocument/{method}",
            {"textDocument": {"uri": path.as_uri()}, "position": position, **more},
        )

    def labels(self, path, marked):
        return [item["label"] for item in self.at("completion", path, marked)["items"]]

    def targets(self, path, marked):
        found = self.at("definition", path, marked)
        return [
            (
                place["uri"].rpartition("/")[2],
                place["range"]["start"]["line"] + 1,
                place["range"]["start"]["character"],
            )
            for place in found
        ]

    def tell(self, method, params):
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params, *, error=False):
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        self._wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if "error" in answer:
            assert error, answer["error"]
            return answer["error"]
        return answer["result"]

    def end(self):
        """End the conversation as the protocol says; give the exit code."""
        try:
            if self.process.poll() is None:
                self.ask("shutdown", None)
                self.tell("exit", None)
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in self._readers:
                reader.join(5)
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                stream.close()

    def _send(self, message):
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _wait(self, done):
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            try:
                message = self._inbox.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                self.process.send_signal(signal.SIGABRT)  # it writes down what its threads are doing
                self.process.wait(5)
                raise TimeoutError(f"the server says nothing but {self.logged}; {self.errors}") from None
            if message is None:
                raise EOFError(f"the server has ended; it wrote {self.errors!r}")
            self._take(message)
        return True

    def _take(self, message):
        method = message.get("method")
        if method is None:
            self._answers[message["id"]] = message
        elif method == "textDocument/publishDiagnostics":
            self.published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif method == "window/logMessage":
            self.logged.append(message["params"]["message"])
        elif "id" in message:
            self.requested.append(method)
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})

    def _read(self):
        stream = self.process.stdout
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self._inbox.put(json.loads(stream.read(length)))
        self._inbox.put(None)

    def _read_errors(self):
        self._errors.extend(iter(self.process.stderr.readline, b""))


def position_of(text, offset):
    """Give the place of a character as editors count: lines, and units of UTF-16."""
    before = text[:offset]
    line = before.count("\n")
    last = before[before.rfind("\n") + 1 :]
    return {"line": line, "character": len(last.encode("utf-16-le")) // 2}


@pytest.fixture(scope="module")
def editor():
    opened = Editor()
    yield opened
    assert opened.end() == 0
    assert "Traceback" not in opened.errors
    assert opened.logged == []
