"""What scripts ask for besides tables: models, secrets and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patterns import openai_module
from patterns.errors import ModelError
from patterns.errors import PatternsError as ScriptError
from patterns_os.errors import NodeError, PatternsError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from patterns.host import Host
    from patterns_os.adapters.files.store import FileStore
    from patterns_os.ports.models import ModelProvider


class Services:
    """Models, secrets and files of one app, built when they are first used.

    Args:
        folder: The app's folder.
        models: The app's models, as the JSON form of planned ones.
        secrets: Values of the secrets that the node and its models need, by name.
    """

    def __init__(self, folder: Path, models: Sequence[Mapping[str, Any]], secrets: Mapping[str, str]) -> None:
        self._folder = folder
        self._models = models
        self._secrets = secrets
        self._providers: dict[str, ModelProvider] = {}
        self._files: FileStore | None = None

    def install(self, host: Host) -> None:
        """Let `import openai` in the script find the app's text model."""

        def complete(text: str, options: dict[str, Any]) -> str:
            messages = options.pop("messages", None)
            question = {"prompt": text} if messages is None else {"messages": messages}
            return str(host.complete("", {**question, "options": options})["text"])

        openai_module.install(complete)

    def secret(self, name: str) -> str | None:
        """Give a secret's value, `None` where it is not set."""
        return self._secrets.get(name)

    def complete(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the model of that name; the empty name means the app's text model.

        Raises:
            ModelError: As the script may catch it.
        """
        from patterns_os.ports.models import Completion  # noqa: PLC0415 - models are rare, start-up is not

        try:
            answer = self._provider(model).complete(Completion.from_request(request))
        except PatternsError as error:
            raise _for_script(error) from error
        return {
            "text": answer.text,
            "model": answer.model,
            "provider": answer.provider,
            "usage": dict(answer.usage or {}),
        }

    def files(self, error: type[ScriptError]) -> _Files:
        """Give the app's files; what goes wrong is raised as `error`."""
        from patterns_os.adapters.files.store import FileStore  # noqa: PLC0415 - fsspec is slow to import

        if self._files is None:
            self._files = FileStore(self._folder / ".patterns" / "files")
        return _Files(self._files, error)

    def _provider(self, name: str) -> ModelProvider:
        from patterns_os.adapters.models.registry import provider_for, text_model_of  # noqa: PLC0415 - see above
        from patterns_os.plan.spec import PlannedModel  # noqa: PLC0415 - see above

        if name not in self._providers:
            models = [PlannedModel.model_validate(model) for model in self._models]
            planned = next((model for model in models if model.name == name), None)
            if planned is None:
                planned = text_model_of(models) if not name else PlannedModel(name=name)
            self._providers[name] = provider_for(planned, self.secret)
        return self._providers[name]


class _Files:
    """The file store, with errors as scripts may catch them."""

    def __init__(self, store: FileStore, error: type[ScriptError]) -> None:
        self._store = store
        self._error = error

    def open(self, name: str, mode: str) -> Any:  # noqa: ANN401 - text or bytes, by mode
        """Open a file."""
        try:
            return self._store.open(name, mode)
        except PatternsError as error:
            raise _for_script(error, self._error) from error

    def exists(self, name: str) -> bool:
        """Tell whether it is there."""
        try:
            return self._store.exists(name)
        except PatternsError as error:
            raise _for_script(error, self._error) from error

    def delete(self, name: str) -> None:
        """Remove it."""
        try:
            self._store.delete(name)
        except PatternsError as error:
            raise _for_script(error, self._error) from error


def _for_script(error: PatternsError, kind: type[ScriptError] = ModelError) -> ScriptError:
    if isinstance(error, TemporaryError):
        family = "temporary"
    else:
        family = "node" if isinstance(error, NodeError) or kind is not ModelError else "permanent"
    return kind(error.message, code=error.code, hint=error.hint, family=family)
