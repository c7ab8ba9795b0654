"""`import openai` in scripts, answered by the app's text model whether or not the package is installed.

Where it is installed, scripts get the real package, with a function `completion` more. Where it isn't, they
get a stand-in with `completion` and the two oldest calls. Nothing is imported before a script asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Complete = Callable[[str, dict[str, Any]], str]
"""Gives the answer to a text. The options hold `messages` where a conversation is asked; the text is then the
content of its last turn."""

PACKAGE = "openai"

# Where and as whom to ask is patterns.json's to say. A key must not travel with a question.
_CONNECTION = frozenset(
    {"api_base", "api_key", "api_type", "api_version", "engine", "headers", "organization", "request_timeout"}
)


def install(complete: Complete) -> None:
    """Have `import openai` give `completion`, until `uninstall`; of two installs the later holds."""
    uninstall()
    finder = _Finder(complete)
    if PACKAGE in sys.modules:
        finder.extend(sys.modules[PACKAGE])
    sys.meta_path.insert(0, finder)


def uninstall() -> None:
    """Take all of it back; may be repeated, and without an install nothing happens."""
    for finder in [found for found in sys.meta_path if isinstance(found, _Finder)]:
        sys.meta_path.remove(finder)
        finder.restore()


class _Finder(MetaPathFinder):
    """Answers for the one package."""

    def __init__(self, complete: Complete) -> None:
        self._completion = _completion_of(complete)
        self._complete = complete
        self._extended: list[ModuleType] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the real package's spec with a loader of ours around its own, or the stand-in's."""
        if fullname.startswith(f"{PACKAGE}.") and isinstance(sys.modules.get(PACKAGE), _StandIn):
            # Not a ModuleNotFoundError: `from openai import X` would swallow it, and the hint with it.
            raise ImportError(_absent(fullname.partition(".")[2]), name=fullname)
        if fullname != PACKAGE:
            return None
        spec = self._real_spec(path, target)
        if spec is None or spec.loader is None or spec.origin is None:
            return ModuleSpec(PACKAGE, _StandInLoader(self._complete), is_package=True)
        spec.loader = _ExtendingLoader(spec.loader, self.extend)
        return spec

    def extend(self, module: ModuleType) -> None:
        """Add `completion` where the module has none."""
        if not hasattr(module, "completion"):
            module.completion = self._completion  # type: ignore[attr-defined]  # that is the point
            self._extended.append(module)

    def restore(self) -> None:
        """Take `completion` out of what was extended, and forget the stand-in."""
        for module in self._extended:
            if vars(module).get("completion") is self._completion:
                del vars(module)["completion"]
        if isinstance(sys.modules.get(PACKAGE), _StandIn):
            del sys.modules[PACKAGE]

    def _real_spec(self, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(PACKAGE, path, target) for finder in others)
        return next((spec for spec in specs if spec is not None), None)


class _ExtendingLoader(Loader):
    """Loads the real package, which never gets to see this loader, and then extends it."""

    def __init__(self, real: Loader, extend: Callable[[ModuleType], None]) -> None:
        self._real = real
        self._extend = extend

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real loader has
        return getattr(self._real, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._real
        if module.__spec__ is not None:
            module.__spec__.loader = self._real
        self._real.exec_module(module)
        self._extend(module)


class _StandIn(ModuleType):
    """What there is of `openai` without `openai`."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - never gives anything
        raise AttributeError(_absent(name), name=name, obj=self)


class _StandInLoader(Loader):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(
            __doc__="A stand-in for the package openai, answered by the app's text model.",
            completion=_completion_of(self._complete),
            ChatCompletion=_ChatCompletion(self._complete),
            Completion=_Completion(self._complete),
        )


class _ChatCompletion:
    """`openai.ChatCompletion` of the package's versions before 1.0."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def create(self, *, messages: Sequence[dict[str, Any]], **options: Any) -> _Reply:  # noqa: ANN401 - as there
        """Give the next turn as `choices[0].message.content`."""
        turns = [dict(turn) for turn in messages]
        last = turns[-1].get("content") if turns else None
        text = last if isinstance(last, str) else ""
        answer = self._complete(text, {**_sampling(options), "messages": turns})
        message = _Reply(role="assistant", content=answer)
        return _reply("chat.completion", [_Reply(index=0, message=message, finish_reason="stop")])


class _Completion:
    """`openai.Completion` of the package's versions before 1.0."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def create(self, *, prompt: str | Sequence[str], **options: Any) -> _Reply:  # noqa: ANN401 - as there
        """Give what comes after each prompt as `choices[n].text`."""
        prompts = [prompt] if isinstance(prompt, str) else prompt
        answers = [self._complete(text, _sampling(options)) for text in prompts]
        choices = [_Reply(index=n, text=text, finish_reason="stop") for n, text in enumerate(answers)]
        return _reply("text_completion", choices)


class _Reply(dict[str, Any]):
    """A dict whose keys are attributes too."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _completion_of(complete: Complete) -> Callable[..., str]:
    def completion(text: str, **options: Any) -> str:  # noqa: ANN401 - options are the provider's
        """Give what the app's text model answers to the text."""
        return complete(text, _sampling(options))

    return completion


def _sampling(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("stream"):
        message = "the app's text model gives whole answers: leave out stream=True"
        raise ValueError(message)
    return {name: value for name, value in options.items() if name not in _CONNECTION}


def _reply(kind: str, choices: list[_Reply]) -> _Reply:
    return _Reply(object=kind, choices=choices)


def _absent(name: str) -> str:
    return (
        f'"openai.{name}" is not there, as the package "openai" is not installed; its stand-in has '
        '"completion", "Completion.create" and "ChatCompletion.create"; `pip install openai` gives the whole'
    )
