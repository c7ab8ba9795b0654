"""The real package is played by a module from memory; one that is really installed stays out of the way."""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder

import pytest

from patterns import openai_module


class Package(MetaPathFinder, Loader):
    """Offers a module `openai` with the given source."""

    def __init__(self, source):
        self.source = source
        self.loads = 0

    def find_spec(self, fullname, _path=None, _target=None):
        return ModuleSpec(fullname, self, origin="memory") if fullname == "openai" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.loads += 1
        exec(self.source, vars(module))

    def get_source(self, _name):
        return self.source


class Hidden(MetaPathFinder):
    """Finds all that is installed except for `openai`."""

    def find_spec(self, fullname, path=None, target=None):
        return (
            None if fullname.partition(".")[0] == "openai" else PathFinder.find_spec(fullname, path, target)
        )


class Recorder:
    def __init__(self):
        self.asked = []

    def __call__(self, text, options):
        self.asked.append((text, options))
        return f"answer to {text}"


@pytest.fixture(autouse=True)
def clean():
    """No package `openai` is found, and nothing of a test stays."""
    meta_path = list(sys.meta_path)
    loaded = _take_loaded()
    sys.meta_path[:] = [Hidden() if finder is PathFinder else finder for finder in meta_path]
    yield
    openai_module.uninstall()
    _take_loaded()
    sys.meta_path[:] = meta_path
    sys.modules.update(loaded)


def _take_loaded():
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "openai"}


def load():
    return importlib.import_module("openai")


@pytest.fixture
def ask():
    recorder = Recorder()
    openai_module.install(recorder)
    return recorder


def package(source):
    found = Package(source)
    sys.meta_path.append(found)
    return found


def test_without_the_package_completion_answers(ask):
    openai = load()

    assert openai.completion("hello", temperature=0) == "answer to hello"
    assert ask.asked == [("hello", {"temperature": 0})]


def test_the_oldest_calls_answer_as_they_did(ask):
    openai = load()

    chat = openai.ChatCompletion.create(model="gpt-4", messages=[{"role": "user", "content": "hello"}])
    assert chat["choices"][0]["message"]["content"] == chat.choices[0].message.content == "answer to hello"

    texts = openai.Completion.create(prompt=["a", "b"], max_tokens=3)
    assert [choice.text for choice in texts.choices] == ["answer to a", "answer to b"]
    assert openai.Completion.create(prompt="c").choices[0]["text"] == "answer to c"
    assert ask.asked[:2] == [
        ("hello", {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}]}),
        ("a", {"max_tokens": 3}),
    ]


def test_keys_and_addresses_do_not_travel_with_a_question(ask):
    openai = load()

    openai.api_key = "sk-1"
    openai.completion("hello", api_key="sk-1", api_base="http://x", engine="davinci", headers={})

    assert ask.asked == [("hello", {})]


def test_streams_are_refused(ask):
    openai = load()

    with pytest.raises(ValueError, match="leave out stream=True"):
        openai.completion("hello", stream=True)


MISSING = (
    '"openai.{}" is not there, as the package "openai" is not installed; its stand-in has '
    '"completion", "Completion.create" and "ChatCompletion.create"; `pip install openai` gives the whole'
)


def test_anything_else_says_that_the_package_is_not_installed(ask):
    openai = load()

    with pytest.raises(AttributeError) as raised:
        openai.OpenAI()
    assert str(raised.value) == MISSING.format("OpenAI")
    assert not hasattr(openai, "OpenAI")

    for statement in ("from openai import OpenAI", "import openai.OpenAI"):
        with pytest.raises(ImportError) as missing:
            exec(statement)
        assert str(missing.value) == MISSING.format("OpenAI")


def test_the_real_package_gets_one_function_more(ask):
    real = package("__version__ = '3'\nclass OpenAI: pass\n")
    openai = load()

    assert (openai.__version__, openai.OpenAI.__name__) == ("3", "OpenAI")
    assert openai.completion("hello") == "answer to hello"
    assert (openai.__spec__.loader, openai.__loader__) == (real, real)


def test_nothing_of_the_real_package_is_replaced(ask):
    package("def completion(text): return 'its own'\n")
    openai = load()

    assert openai.completion("hello") == "its own"
    openai_module.uninstall()
    assert openai.completion("hello") == "its own"


def test_the_real_package_is_loaded_when_a_script_asks_for_it_and_once(ask):
    real = package("")
    assert real.loads == 0

    for _ in range(2):
        load()
        openai_module.uninstall()
        openai_module.install(ask)
    assert real.loads == 1


def test_a_package_that_was_imported_before_is_extended_and_restored():
    package("")
    openai = load()

    openai_module.install(Recorder())
    assert openai.completion("hello") == "answer to hello"
    openai_module.uninstall()
    assert not hasattr(openai, "completion")


def test_a_package_that_fails_to_import_fails_as_itself(ask):
    package("raise RuntimeError('broken')")

    with pytest.raises(RuntimeError, match="broken"):
        load()


def test_a_folder_of_that_name_is_no_package(ask, tmp_path, monkeypatch):
    (tmp_path / "openai").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, PathFinder])
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    openai = load()

    assert openai.completion("hello") == "answer to hello"


def test_uninstalling_takes_all_of_it_back(ask):
    load()

    before = len(sys.meta_path)
    openai_module.uninstall()
    openai_module.uninstall()

    assert len(sys.meta_path) == before - 1
    with pytest.raises(ModuleNotFoundError):
        load()


def test_of_two_installs_the_later_answers(ask):
    load()
    openai_module.install(lambda _text, _options: "later")
    openai = load()

    assert openai.completion("hello") == "later"
    openai_module.uninstall()
    assert "openai" not in sys.modules
