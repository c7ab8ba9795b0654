"""The language server: what editors ask, answered from the apps as they are typed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

from patterns_os import __version__
from patterns_os.composition.recompiling import Recompiler
from patterns_os.diagnostics import Diagnostic, Location, Severity
from patterns_os.editor.fixes import Edit, edits_for
from patterns_os.editor.positions import offset_of, range_of, span_of
from patterns_os.editor.workspace import Compile, OpenApp, OpenApps, is_of_author
from patterns_os.errors import PatternsError
from patterns_os.plan.assistance import completions, definitions, describe
from patterns_os.plan.compile import Compiled
from patterns_os.plan.mentions import mention_at

QUIET_S: Final = 0.15
"""So long nobody types before the app is compiled again."""


class Server(LanguageServer):
    """A language server for the apps whose files an editor opens.

    Apps are compiled by one thread, one after the other: two compiles at once would only slow each other down.
    """

    def __init__(self) -> None:
        # Whole texts: edits by lines would need the line ends that every editor knows to be the same.
        super().__init__("patterns", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.apps = OpenApps(_compiler_of)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: dict[Path, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def codec(self) -> PositionCodec:
        """How the editor counts characters."""
        return self.workspace.position_codec

    def text_of(self, uri: str) -> str:
        """Give what a file holds in the editor, else on disk; nothing where it can't be read."""
        try:
            return self.workspace.get_text_document(uri).source
        except (OSError, UnicodeError):
            return ""

    def typed(self, uri: str, *, is_open: bool = True) -> None:
        """Note a change, and compile its apps when nobody has typed for a moment."""
        path = _path(uri)
        text = self.text_of(uri) if is_open else None
        for app in self.apps.type(path, text) if path else ():
            self.compile_soon(app)

    def changed_on_disk(self, uris: Iterable[str]) -> None:
        """Compile the apps that have these files, when no more have changed for a moment."""
        paths = [path.resolve() for path in map(_path, uris) if path]
        for app in self.apps:
            if any(path.is_relative_to(app.folder) for path in paths):
                app.is_current = False
                self.compile_soon(app)

    def compile_soon(self, app: OpenApp) -> None:
        """Compile the app when nobody has typed for a moment."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.pop(app.folder, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[app.folder] = loop.call_later(QUIET_S, self._start, app)

    async def understood(self, uri: str) -> tuple[OpenApp, Compiled, str] | None:
        """Give the app of a file as it was last understood, and the file's path in it; `None` without an app."""
        path = _path(uri)
        found = self.apps.app_of(path) if path else None
        if found is None:
            return None
        app, file = found
        if app.understood is None:
            await self.compile(app)
        return (app, app.understood, file) if app.understood else None

    async def current(self, uri: str) -> tuple[OpenApp, Compiled, str] | None:
        """Give the same as of what is typed now."""
        path = _path(uri)
        found = self.apps.app_of(path) if path else None
        if found is None:
            return None
        app, file = found
        if not app.is_current or app.compiled is None:
            await self.compile(app)
        return (app, app.compiled, file) if app.compiled else None

    async def compile(self, app: OpenApp) -> None:
        """Compile the app and show what it finds; whatever goes wrong is told, and ends nothing."""
        loop = asyncio.get_running_loop()
        try:
            compiled = await loop.run_in_executor(self._thread, app.compile_files, app.snapshot())
        except PatternsError as error:
            self._tell(str(error))
        except Exception as error:  # noqa: BLE001 - an editor without findings is better than none at all
            self._tell(f"{type(error).__name__}: {error} (a bug of Patterns OS, please report it)")
        else:
            for path in sorted(self.apps.note(app, compiled)):
                self._publish(path)

    def _start(self, app: OpenApp) -> None:
        self._waiting.pop(app.folder, None)
        task = asyncio.get_running_loop().create_task(self.compile(app))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, path: Path) -> None:
        uri, found = _uri(path), list(self.apps.findings_of(path))
        texts = [_text(app.compiled, path.relative_to(app.folder).as_posix()) for app, _ in found[:1]]
        shown = [_shown(diagnostic, texts[0], self.codec) for _, diagnostic in found]
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=shown))

    def _tell(self, message: str) -> None:
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))


def make_server() -> Server:
    """Give a server that waits to be started."""
    server = Server()
    _follow_files(server)
    _answer_questions(server)
    return server


def _follow_files(server: Server) -> None:
    @server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        if _can_watch(server):
            await server.client_register_capability_async(_WATCH)

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

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def did_change_files(params: types.DidChangeWatchedFilesParams) -> None:
        server.changed_on_disk(change.uri for change in params.changes)


def _answer_questions(server: Server) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=['"', "'", "`", "(", ".", "/"]),
    )
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        found = await server.understood(params.text_document.uri)
        items = _completed(server, params, found[1], found[2]) if found else ()
        return types.CompletionList(is_incomplete=False, items=list(items))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def define(params: types.DefinitionParams) -> list[types.Location]:
        found = await server.understood(params.text_document.uri)
        return _defined(server, params, *found) if found else []

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        found = await server.understood(params.text_document.uri)
        if found is None:
            return None
        text = server.text_of(params.text_document.uri)
        known = describe(found[1], found[2], text, offset_of(text, params.position, server.codec))
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=known or "")
        return types.Hover(contents=content) if known else None

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix]),
    )
    async def mend(params: types.CodeActionParams) -> list[types.CodeAction]:
        found = await server.current(params.text_document.uri)
        return list(_mended(server, params, *found)) if found else []


def _completed(
    server: Server, params: types.CompletionParams, compiled: Compiled, file: str
) -> Iterator[types.CompletionItem]:
    text = server.text_of(params.text_document.uri)
    mention = mention_at(file, text, offset_of(text, params.position, server.codec))
    if mention is None:
        return
    place = span_of(text, (mention.start, mention.end), server.codec)
    for offer in completions(compiled, file, mention):
        yield types.CompletionItem(
            label=offer.label,
            kind=_KINDS.get(offer.kind, types.CompletionItemKind.Constant),
            detail=offer.detail or None,
            documentation=offer.description or None,
            text_edit=types.TextEdit(range=place, new_text=offer.label),
        )


def _defined(
    server: Server, params: types.DefinitionParams, app: OpenApp, compiled: Compiled, file: str
) -> list[types.Location]:
    text = server.text_of(params.text_document.uri)
    places = definitions(compiled, file, text, offset_of(text, params.position, server.codec))
    found = []
    for where in places:
        if is_of_author(where.file):
            start = range_of(_text(compiled, where.file), where, server.codec).start
            at = types.Range(start=start, end=start)
            found.append(types.Location(uri=_uri(app.folder / where.file), range=at))
    return found


def _mended(
    server: Server, params: types.CodeActionParams, app: OpenApp, compiled: Compiled, file: str
) -> Iterator[types.CodeAction]:
    text = _text(compiled, file)
    wanted = [
        found
        for found in app.findings.get(file, ())
        if found.where and _touches(range_of(text, found.where, server.codec), params.range)
    ]
    for found, edit in edits_for(compiled, wanted):
        yield types.CodeAction(
            title=edit.title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[_shown(found, text, server.codec)],
            edit=_workspace_edit(server, app, compiled, edit),
        )


def _workspace_edit(server: Server, app: OpenApp, compiled: Compiled, edit: Edit) -> types.WorkspaceEdit:
    place = span_of(_text(compiled, edit.file), edit.span, server.codec)
    change = types.TextEdit(range=place, new_text=edit.text)
    return types.WorkspaceEdit(changes={_uri(app.folder / edit.file): [change]})


def _touches(place: types.Range, other: types.Range) -> bool:
    def key(position: types.Position) -> tuple[int, int]:
        return position.line, position.character

    return key(place.start) <= key(other.end) and key(other.start) <= key(place.end)


def _shown(found: Diagnostic, text: str, codec: PositionCodec) -> types.Diagnostic:
    is_here = found.where is not None and is_of_author(found.where.file)
    where = found.where if found.where and is_here else Location(file="")
    known = f"\n{found.known[0]}: {', '.join(found.known[1]) or 'none'}" if found.known else ""
    hint = f"\nhint: {found.hint}" if found.hint else ""
    is_error = found.severity is Severity.ERROR
    return types.Diagnostic(
        range=range_of(text, where, codec),
        message=f"{found.message}{known}{hint}",
        severity=types.DiagnosticSeverity.Error if is_error else types.DiagnosticSeverity.Warning,
        code=found.code,
        source="patterns",
    )


def _can_watch(server: Server) -> bool:
    workspace = server.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    return bool(watched and watched.dynamic_registration)


def _compiler_of(folder: Path) -> Compile:
    compile_files: Callable[..., Compiled] = Recompiler(folder).compile
    return compile_files


def _text(compiled: Compiled | None, file: str) -> str:
    content = compiled.sources.get(file, b"") if compiled else b""
    return content.decode("utf-8", "replace")


def _path(uri: str) -> Path | None:
    try:
        found = to_fs_path(uri) if uri.startswith("file:") else None
    except ValueError:
        return None
    return Path(found) if found and "\0" not in found else None


def _uri(path: Path) -> str:
    return from_fs_path(str(path)) or ""


_KINDS: Final = {
    "table": types.CompletionItemKind.Struct,
    "file": types.CompletionItemKind.File,
    "script": types.CompletionItemKind.File,
    "drawing": types.CompletionItemKind.File,
    "column": types.CompletionItemKind.Field,
    "parameter": types.CompletionItemKind.Variable,
    "model": types.CompletionItemKind.Class,
    "type": types.CompletionItemKind.TypeParameter,
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
}
_WATCH: Final = types.RegistrationParams(
    registrations=[
        types.Registration(
            id="patterns-files",
            method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
            register_options=types.DidChangeWatchedFilesRegistrationOptions(
                watchers=[
                    types.FileSystemWatcher(
                        glob_pattern="**/*.{json,yml,yaml,py,sql,js,mjs,cjs,jsx,ts,mts,cts,tsx,md,txt}"
                    )
                ]
            ),
        )
    ]
)
