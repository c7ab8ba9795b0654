"""The language server: what editors ask, answered from the apps as they are typed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import TextDocument

from patterns_os import __version__
from patterns_os.adapters.files.sources import load_sources
from patterns_os.composition.authoring import compile_sources
from patterns_os.diagnostics import Diagnostic, Location, Severity
from patterns_os.editor.workspace import OpenApp, OpenApps, extent
from patterns_os.errors import PatternsError
from patterns_os.graph.sources import Sources
from patterns_os.plan.assistance import completions, definitions, describe
from patterns_os.plan.compile import Compiled

QUIET_S: Final = 0.2
"""So long nobody types before the app is compiled again."""

_KINDS: Final = {
    "table": types.CompletionItemKind.Struct,
    "file": types.CompletionItemKind.File,
    "script": types.CompletionItemKind.File,
    "column": types.CompletionItemKind.Field,
    "parameter": types.CompletionItemKind.Variable,
    "model": types.CompletionItemKind.Class,
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
}


class Server(LanguageServer):
    """A language server for the apps whose files an editor opens."""

    def __init__(self) -> None:
        super().__init__("patterns", __version__)
        self.apps = OpenApps(_compile)
        self._waiting: dict[Path, asyncio.TimerHandle] = {}
        self._compiling: set[asyncio.Task[None]] = set()

    def typed(self, uri: str, *, is_open: bool = True) -> None:
        """Note a change, and compile its app when nobody has typed for a moment."""
        path = _path(uri)
        text = self.workspace.get_text_document(uri).source if is_open else None
        app = self.apps.type(path, text) if path else None
        if app is None:
            return
        waiting = self._waiting.pop(app.folder, None)
        if waiting is not None:
            waiting.cancel()
        loop = asyncio.get_running_loop()
        self._waiting[app.folder] = loop.call_later(QUIET_S, self._start, app)

    def document(self, uri: str) -> tuple[Compiled, str, TextDocument] | None:
        """Give the compiled app of a file, the file's path in it, and its text; `None` without an app."""
        path = _path(uri)
        found = self.apps.app_of(path) if path else None
        if found is None:
            return None
        app, file = found
        if app.compiled is None:
            self.apps.compile(app)
        return (app.compiled, file, self.workspace.get_text_document(uri)) if app.compiled else None

    def place(self, compiled: Compiled, folder: Path, where: Location) -> types.Location:
        """Give a place of an app as the editor counts."""
        start, _ = self._range(compiled, folder, where)
        return types.Location(uri=_uri(folder, where.file), range=types.Range(start=start, end=start))

    def _start(self, app: OpenApp) -> None:
        self._waiting.pop(app.folder, None)
        task = asyncio.get_running_loop().create_task(self._show(app))
        self._compiling.add(task)
        task.add_done_callback(self._compiling.discard)

    async def _show(self, app: OpenApp) -> None:
        try:
            found = await asyncio.to_thread(self.apps.compile, app)
        except PatternsError as error:
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, str(error)))
            return
        for file, diagnostics in found.items():
            shown = [self._shown(app, diagnostic) for diagnostic in diagnostics]
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri=_uri(app.folder, file), diagnostics=shown)
            )

    def _shown(self, app: OpenApp, found: Diagnostic) -> types.Diagnostic:
        where = found.where or Location(file="manifest.json")
        start, end = self._range(app.compiled, app.folder, where)
        known = f"\n{found.known[0]}: {', '.join(found.known[1]) or 'none'}" if found.known else ""
        hint = f"\nhint: {found.hint}" if found.hint else ""
        error = found.severity is Severity.ERROR
        return types.Diagnostic(
            range=types.Range(start=start, end=end),
            message=f"{found.message}{known}{hint}",
            severity=types.DiagnosticSeverity.Error if error else types.DiagnosticSeverity.Warning,
            code=found.code,
            source="patterns",
        )

    def _range(
        self, compiled: Compiled | None, folder: Path, where: Location
    ) -> tuple[types.Position, types.Position]:
        content = compiled.sources.get(where.file, b"") if compiled else b""
        lines = content.decode("utf-8", "replace").splitlines() or [""]
        number = min(where.line - 1, len(lines) - 1)
        start, end = extent(lines[number], where.column)
        document = self.workspace.get_text_document(_uri(folder, where.file))
        codec = document.position_codec
        return (
            codec.position_to_client_units(lines, types.Position(number, start)),
            codec.position_to_client_units(lines, types.Position(number, end)),
        )


def make_server() -> Server:
    """Give a server that waits to be started."""
    server = Server()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def did_open(params: types.DidOpenTextDocumentParams) -> None:
        server.typed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def did_change(params: types.DidChangeTextDocumentParams) -> None:
        server.typed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def did_save(params: types.DidSaveTextDocumentParams) -> None:
        server.typed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def did_close(params: types.DidCloseTextDocumentParams) -> None:
        server.typed(params.text_document.uri, is_open=False)

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=['"', "'", "(", "."])
    )
    def complete(params: types.CompletionParams) -> types.CompletionList:
        return types.CompletionList(is_incomplete=False, items=_completed(server, params))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def define(params: types.DefinitionParams) -> list[types.Location]:
        return _defined(server, params)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        found = server.document(params.text_document.uri)
        if found is None:
            return None
        compiled, file, document = found
        text = describe(compiled, file, document.source, document.offset_at_position(params.position))
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=text or "")
        return types.Hover(contents=content) if text else None

    return server


def _completed(server: Server, params: types.CompletionParams) -> list[types.CompletionItem]:
    found = server.document(params.text_document.uri)
    if found is None:
        return []
    compiled, file, document = found
    offset = document.offset_at_position(params.position)
    return [
        types.CompletionItem(
            label=offer.label,
            kind=_KINDS.get(offer.kind, types.CompletionItemKind.Constant),
            detail=offer.detail or None,
            documentation=offer.description or None,
        )
        for offer in completions(compiled, file, document.source, offset)
    ]


def _defined(server: Server, params: types.DefinitionParams) -> list[types.Location]:
    path = _path(params.text_document.uri)
    found = server.document(params.text_document.uri)
    at = server.apps.app_of(path) if path else None
    if found is None or at is None:
        return []
    compiled, file, document = found
    places = definitions(compiled, file, document.source, document.offset_at_position(params.position))
    return [server.place(compiled, at[0].folder, where) for where in places]


def _compile(folder: Path, texts: Mapping[str, bytes]) -> Compiled:
    return compile_sources(folder, Sources({**load_sources(folder), **texts}))


def _path(uri: str) -> Path | None:
    found = to_fs_path(uri)
    return Path(found) if found else None


def _uri(folder: Path, file: str) -> str:
    return from_fs_path(str(folder / file)) or ""
