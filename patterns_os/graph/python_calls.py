"""What calls of the SDK, of Python's own functions and of other libraries do, as far as a script shows it."""

import ast
from collections.abc import Callable
from itertools import product

from patterns_os.diagnostics import Diagnostic, quote
from patterns_os.graph.python_engine import Engine, Given
from patterns_os.graph.python_findings import FILE_READING, FILE_WRITING
from patterns_os.graph.python_library import is_effect, is_harmless, type_of_call
from patterns_os.graph.python_objects import (
    NO_KEY,
    add_rest,
    any_item,
    copy_of,
    from_instance,
    gap,
    items_of,
    listed_from,
    merge,
    set_entry,
    unnamed,
)
from patterns_os.graph.python_values import (
    MOST_CASES,
    NOTHING,
    Fields,
    Instance,
    Known,
    Listed,
    Opaque,
    Opened,
    Partial,
    Remainder,
    Routine,
    Stream,
    Value,
    at_run_time,
    computed,
    each,
    either,
    lost,
    spelled,
)
from patterns_os.graph.vertices import EVERY_COLUMN, Observed

SDK_NAMES = frozenset(
    {
        "Table",
        "File",
        "Model",
        "Parameter",
        "State",
        "Secret",
        "Connection",
        "Stream",
        "once",
        "run",
        "PatternsError",
    }
)
MODES = {"r": "r", "read": "r", "w": "w", "write": "w", "a": "w", "append": "w", "rw": "w"}
FRAME = "pandas.DataFrame()"

_NAMED = {"Model": "type", "Parameter": "description", "Secret": "", "Connection": ""}
_RUNNING_CODE = {
    "builtins.exec": "exec",
    "builtins.eval": "eval",
    "builtins.__import__": "__import__",
    "importlib.import_module": "import_module",
    "runpy.run_path": "run_path",
    "runpy.run_module": "run_module",
}
_ABOUT_TYPES = frozenset(
    {"isinstance", "issubclass", "type", "print", "repr", "str", "id", "callable", "hasattr"}
)
_ROWS = frozenset({"append", "upsert", "replace"})


def call_path(engine: Engine, callee: Opaque, given: Given) -> Value:
    """Give what a function from outside of the app returns, and note what the call does."""
    root, _, name = callee.path.partition(".")
    if callee.path in _RUNNING_CODE:
        reason = f'"{_RUNNING_CODE[callee.path]}" runs code that the text does not show'
        engine.findings.miss(engine.place(given.node), reason)
    if root == "patterns" and name in _SDK:
        return _SDK[name](engine, given)
    if root == "builtins" and name in _BUILTINS:
        found = _BUILTINS[name](engine, given)
        if found is not None:
            return found
    return _LIBRARY.get(callee.path, call_unknown_function)(engine, callee, given)


def call_unknown_function(engine: Engine, callee: Opaque, given: Given) -> Value:
    """Give what a function returns of which nothing is known but its name and its arguments."""
    _note_effect(engine, callee, given)
    _note_moment(engine, callee, given)
    for value in given.values():
        for part in each(value):
            _hand_over(engine, part, callee, given)
    path = callee.path and f"{callee.path}{_variant(callee.path, given)}"
    column_type = type_of_call(callee.path) or callee.type
    found = computed(at_run_time(given.node), (callee, *given.values(), *given.unpacked), column_type, path)
    if callee.path in _ZONES and not _is_naive(callee.path, given) and not given.is_open:
        column_type = "timestamptz"
    is_present = column_type is not None
    found = found._replace(type=column_type, is_present=is_present, origin=_maker(callee.path, given))
    return found._replace(is_lost=True) if given.is_open and callee.is_lost else found


def call_handle(engine: Engine, handle: Opened, name: str, given: Given) -> Value:
    """Give what a method of a table or file returns."""
    node = given.node
    if handle.kind == "file":
        return _call_file(engine, handle, name, given)
    match name:
        case "as_stream":
            return Stream(handle)
        case "read" | "read_dataframe":
            return _rows_of(engine, handle, name, given)
        case "read_sql":
            sources = frozenset({(handle.name, EVERY_COLUMN)})
            reason = 'the rows of "read_sql" come from its SQL text, which is not followed'
            row = Fields(node, engine.region, rest=[Remainder(lost(reason, sources), reason=reason)])
            return Listed(node, engine.region, rest=row)
        case _ if name in _ROWS:
            rows = given.get(0, "records")
            if rows is not None:
                engine.findings.write(handle.name, rows, engine.place(node))
            return NOTHING
        case _:
            return Opaque(at_run_time(node))


def call_stream(engine: Engine, stream: Stream, name: str, given: Given) -> Value:
    """Give what a method of a stream returns."""
    if name in {"consume_records", "consume_with_rollback", "__iter__"}:
        return stream
    if name == "batches":
        batch = Listed(given.node, engine.region, rest=engine.row(stream.handle, given.node))
        return Listed(given.node, engine.region, rest=batch)
    return Opaque(at_run_time(given.node))


def _rows_of(engine: Engine, handle: Opened, name: str, given: Given) -> Value:
    node = given.node
    kind = given.get(0, "as_format") if name == "read" else Known("dataframe")
    row = engine.row(handle, node)
    if kind in (None, Known("records")):
        rows: Value = Listed(node, engine.region, rest=row)
    else:
        sources = frozenset({(handle.name, EVERY_COLUMN)})
        rows = Opaque("the columns of a DataFrame are known only at run time", sources, path=FRAME)
    chunked = given.get(1 if name == "read" else 0, "chunksize")
    return rows if chunked in (None, NOTHING) else Listed(node, engine.region, rest=rows)


def _call_file(engine: Engine, handle: Opened, name: str, given: Given) -> Value:
    mode = given.get(0, "mode") if name == "open" else None
    if name == "open":
        modes = each(mode or Known(handle.mode or "r"))
        writes = any(isinstance(part, Known) and set(str(part.value)) & set("wax+") for part in modes)
        engine.findings.touch(handle, "write" if writes else "read")
    elif name in FILE_READING | FILE_WRITING:
        engine.findings.touch(handle, name)
    return Opaque(at_run_time(given.node), type="text" if name == "read_text" else None)


def _open(engine: Engine, kind: str, given: Given) -> Value:
    names = given.get(0, "name") or Opaque("no name is given")
    modes = given.get(1, "mode") or Known("r" if kind == "Table" else "")
    pairs = product(each(names), each(modes))
    return either(_open_one(engine, kind, name, mode, given) for name, mode in pairs)


def _open_one(engine: Engine, kind: str, name: Value, mode: Value, given: Given) -> Value:
    place = engine.place(given.node)
    for value in (name, mode):
        if not isinstance(value, Known) or not isinstance(value.value, str):
            reason = value.reason if isinstance(value, Opaque) else "the name is not a text"
            engine.findings.miss(place, f"the name of a {kind} cannot be told: {reason}")
            return lost(reason)
    text, word = str(getattr(name, "value", "")), str(getattr(mode, "value", ""))
    if kind == "Table" and word not in MODES:
        engine.findings.report(
            Diagnostic(
                code="table-mode",
                message=f"table {quote(text)} is opened with the unknown mode {quote(word)}.",
                where=place[0].locate(given.node),
                known=("known modes", ("r", "w")),
            )
        )
        return lost(f"the mode {quote(word)} is not known")
    mode_used = MODES[word] if kind == "Table" else word
    handle = Opened(given.node, place[0], kind.lower(), text, mode_used)
    engine.findings.open(handle)
    return handle


def _ask(engine: Engine, kind: str, given: Given) -> Value:
    place = engine.place(given.node)
    if kind == "Parameter":
        # What is named as the type of a parameter is not asked for: the parameter brings it.
        for written in _written_type(given.node):
            engine.findings.take_back("connection", written)
    for name in each(given.get(0, "name") or Opaque("no name is given")):
        if isinstance(name, Known) and isinstance(name.value, str):
            engine.findings.use(place, kind.lower(), name.value, _detail(kind, given))
        else:
            reason = name.reason if isinstance(name, Opaque) else "the name is not a text"
            engine.findings.miss(place, f"the name of a {kind} cannot be told: {reason}")
    return _ASKED[kind](given)


def _detail(kind: str, given: Given) -> dict[str, object]:
    detail: dict[str, object] = {}
    if kind == "Model":
        model_type = given.get(1, "type")
        if isinstance(model_type, Known):
            detail["type"] = model_type.value
    if kind == "Parameter":
        default = given.get(3, "default")
        if isinstance(default, Known):
            detail["default"] = default.value
        detail["required"] = default is None
        written = _parameter_type(given.node)
        if written:
            detail["type"] = written
    return detail


def _parameter_type(node: ast.Call) -> str | None:
    match _written_type(node):
        case [ast.Name(id=name) | ast.Attribute(attr=name)]:
            return name
        case [ast.Constant(value=str() as name)]:
            return name
        case [ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))]:
            return name.lower()
        case _:
            return None


def _written_type(node: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in node.keywords if keyword.arg == "type"] or node.args[2:3]


def _parameter(given: Given) -> Value:
    name = given.get(0, "name")
    named = quote(str(name.value)) if isinstance(name, Known) else "a parameter"
    reason = f"it is the value of parameter {named}, which is known only when the app is deployed"
    types = {"int": "bigint", "float": "double", "bool": "bool"}
    default = given.get(3, "default")
    # A default is given as it is; only values of the manifest are turned into the type.
    column_type = types.get(_parameter_type(given.node) or "") if default is None else None
    return Opaque(reason, type=column_type)


_ASKED: dict[str, Callable[[Given], Value]] = {
    "Model": lambda given: Opaque(at_run_time(given.node), path="patterns.Model()"),
    "Parameter": _parameter,
    "Secret": lambda given: Opaque(at_run_time(given.node), type="text", is_present=True),
    "Connection": lambda given: Opaque(at_run_time(given.node), path="patterns.Connection()"),
}


def _state(engine: Engine, given: Given) -> Value:
    engine.findings.use(engine.place(given.node), "state", "", {})
    return Opaque(at_run_time(given.node), path="patterns.State()")


def _once(engine: Engine, given: Given) -> Value:
    effect = given.get(1, "effect")
    engine.shields += 1
    try:
        if effect is None:
            return Opaque(at_run_time(given.node))
        return either(
            engine.call(part, Given(given.node))
            if isinstance(part, Routine | Partial | Instance)
            else computed(at_run_time(given.node), (part,))
            for part in each(effect)
        )
    finally:
        engine.shields -= 1


_SDK: dict[str, Callable[[Engine, Given], Value]] = {
    "Table": lambda engine, given: _open(engine, "Table", given),
    "File": lambda engine, given: _open(engine, "File", given),
    "Model": lambda engine, given: _ask(engine, "Model", given),
    "Parameter": lambda engine, given: _ask(engine, "Parameter", given),
    "Secret": lambda engine, given: _ask(engine, "Secret", given),
    "Connection": lambda engine, given: _ask(engine, "Connection", given),
    "State": _state,
    "once": _once,
    "effects.once": _once,
}


def _note_effect(engine: Engine, callee: Opaque, given: Given) -> None:
    if (
        callee.path
        and not engine.shields
        and is_effect(callee.path + _variant_of_effect(callee.path, given), _http_method(callee.path, given))
    ):
        engine.findings.observe(Observed.EFFECT, _readable(callee.path), engine.place(given.node))


def _readable(path: str) -> str:
    return path.replace("()", "")


def _http_method(path: str, given: Given) -> str | None:
    bare = path.rpartition(".")[2]
    method = given.get(0, "method") if bare in {"request", "stream"} else None
    return method.value if isinstance(method, Known) and isinstance(method.value, str) else None


def _variant_of_effect(path: str, given: Given) -> str:
    # A request of urllib is a POST where it has data; so it is told apart by how it is made.
    if path == "urllib.request.urlopen":
        first = given.get(0, "url")
        data = given.get(1, "data")
        sends = data not in (None, NOTHING) or (
            isinstance(first, Opaque) and first.path.endswith("Request(data)")
        )
        return "(data)" if sends else ""
    if path.startswith(("http.", "urllib3.")) and path.endswith(".request"):
        method = given.get(0, "method")
        word = method.value if isinstance(method, Known) else "GET"
        return "" if word in {"GET", "HEAD", "OPTIONS"} else f"({word})"
    return ""


def _variant(path: str, given: Given) -> str:
    if path == "urllib.request.Request":
        data, method = given.get(1, "data"), given.get(5, "method")
        reads = isinstance(method, Known) and method.value in {"GET", "HEAD", "OPTIONS", None}
        sends = data not in (None, NOTHING) if method is None else not reads
        return "(data)" if sends else "()"
    return "()"


_ZONES = {
    "datetime.datetime": (7, "tzinfo"),
    "datetime.datetime.now": (0, "tz"),
    "datetime.datetime.fromtimestamp": (1, "tz"),
    "datetime.datetime.utcnow": (99, ""),
    "datetime.datetime.today": (99, ""),
    "datetime.datetime.utcfromtimestamp": (99, ""),
}


def _note_moment(engine: Engine, callee: Opaque, given: Given) -> None:
    if _is_naive(callee.path, given):
        engine.findings.observe(Observed.NAIVE_DATETIME, callee.path, engine.place(given.node))


def _is_naive(path: str, given: Given) -> bool:
    if path == "datetime.datetime.strptime":
        template = given.get(1, "format")
        return isinstance(template, Known) and isinstance(template.value, str) and "%z" not in template.value
    return path in _ZONES and given.get(*_ZONES[path]) in (None, NOTHING)


def _maker(path: str, given: Given) -> object:
    return given.node if _is_naive(path, given) else None


def _hand_over(engine: Engine, value: Value, callee: Opaque, given: Given) -> None:
    """Follow what a function that nobody knows may do with an argument."""
    place = engine.place(given.node)
    name = spelled(given.node).removeprefix("the result of ")
    match value:
        case Routine():
            if callee.path.partition(".")[0] != "functools":
                engine.call_unknown(value)
        case Partial(callee=Routine() as inner):
            engine.call_unknown(inner)
        case Opaque(path="patterns.Table" | "patterns.File") if (
            callee.path.rpartition(".")[2] not in _ABOUT_TYPES
        ):
            kind = value.path.partition(".")[2]
            engine.findings.miss(place, f'"{kind}" is passed on as a value, so what it opens cannot be told')
        case Opaque() if value.path and not value.path.endswith(")") and not engine.shields:
            if is_effect(value.path, None):
                engine.findings.observe(Observed.EFFECT, _readable(value.path), place)
        case Opened(kind="table", mode="w", name=port) if callee.path.partition(".")[0] != "builtins":
            engine.findings.lose(port, f"the table is given to {name}, which may write to it", place)
        case Fields() if not is_harmless(callee.path):
            add_rest(value, gap(f"the row is given to {name}, which may change it"))
        case _:
            pass


def _first(given: Given) -> Value | None:
    return given.arguments[0] if given.arguments else None


def _with_first(
    function: Callable[[Engine, Value, Given], Value | None],
) -> Callable[[Engine, Given], Value | None]:
    def called(engine: Engine, given: Given) -> Value | None:
        first = _first(given)
        return None if first is None else function(engine, first, given)

    return called


def _dict(engine: Engine, given: Given) -> Value:
    row = Fields(given.node, engine.region)
    for other in given.arguments:
        merge(engine, row, other, given.node)
    for name, value in given.keywords.items():
        set_entry(engine, row, Known(name), value, given.node)
    if given.is_open:
        add_rest(row, unnamed(lost(NO_KEY)))
    return row


def _list(engine: Engine, given: Given) -> Value:
    if not given.arguments:
        return Listed(given.node, engine.region)
    return either(listed_from(engine, part, given.node.args[0]) for part in each(given.arguments[0]))


def _sorted(engine: Engine, given: Given) -> Value | None:
    function = given.keywords.get("key")
    first = _first(given)
    if first is None:
        return None
    if function is not None:
        item = any_item(engine, first, given.node)
        if item is not None:
            engine.call(function, Given(given.node, [item]))
    result = listed_from(engine, first, given.node)
    if isinstance(result, Listed) and function is None:
        return result
    return Listed(given.node, engine.region, rest=any_item(engine, result, given.node))


def _range(engine: Engine, given: Given) -> Value:
    numbers = [part.value for part in given.arguments if isinstance(part, Known) and type(part.value) is int]
    usable = len(numbers) == len(given.arguments) and 1 <= len(numbers) <= 3 and 0 not in numbers[2:]  # noqa: PLR2004 - range takes up to three
    if usable and not given.is_open and all(abs(number) < 2**62 for number in numbers):
        span = range(*numbers)
        if len(span) <= MOST_CASES:
            return Listed(given.node, engine.region, [Known(number) for number in span])
    found = computed(at_run_time(given.node), given.arguments, "bigint")
    return Listed(given.node, engine.region, rest=found)


def _zip(engine: Engine, given: Given) -> Value:
    node = given.node
    columns = [items_of(engine, value, node) for value in given.arguments]
    if all(rest is None for _, rest in columns):
        rows = zip(*[items for items, _ in columns], strict=False)
        return Listed(node, engine.region, [Listed(node, engine.region, list(row)) for row in rows])
    anything = [either([*items, *(() if rest is None else (rest,))]) for items, rest in columns]
    return Listed(node, engine.region, rest=Listed(node, engine.region, anything))


def _enumerate(engine: Engine, first: Value, given: Given) -> Value:
    node = given.node
    items, rest = items_of(engine, first, node)
    start = given.get(1, "start")
    base = start.value if isinstance(start, Known) and type(start.value) is int else 0
    index = Opaque(at_run_time(node), type="bigint", is_present=True)
    counted: list[Value] = [
        Listed(
            node,
            engine.region,
            [Known(base + number) if start is None or isinstance(start, Known) else index, item],
        )
        for number, item in enumerate(items)
    ]
    return Listed(
        node, engine.region, counted, None if rest is None else Listed(node, engine.region, [index, rest])
    )


def _map(engine: Engine, given: Given) -> Value | None:
    if len(given.arguments) < 2:  # noqa: PLR2004 - a function and what it is called with
        return None
    function, *collections = given.arguments
    node = given.node
    columns = [items_of(engine, value, node) for value in collections]
    if any(rest is not None for _, rest in columns):
        anything = [either([*items, *(() if rest is None else (rest,))]) for items, rest in columns]
        for part in each(function):
            if isinstance(part, Opaque):
                _hand_over(engine, part, Opaque("", path="builtins.map"), given)
        with engine.within(is_loop=True):
            return Listed(node, engine.region, rest=engine.call(function, Given(node, anything)))
    rows = zip(*[items for items, _ in columns], strict=False)
    return Listed(node, engine.region, [engine.call(function, Given(node, list(row))) for row in rows])


def _filter(engine: Engine, given: Given) -> Value | None:
    if len(given.arguments) != 2:  # noqa: PLR2004 - a function and a collection
        return None
    function, collection = given.arguments
    item = any_item(engine, collection, given.node)
    if item is not None and function != NOTHING:
        with engine.within(is_loop=True):
            engine.call(function, Given(given.node, [item]))
    return Listed(given.node, engine.region, rest=item)


def _next(engine: Engine, first: Value, given: Given) -> Value:
    item = any_item(engine, first, given.node)
    default = given.get(1, "default")
    found = [value for value in (item, default) if value is not None]
    return either(found) if found else lost(at_run_time(given.node))


def _extreme(engine: Engine, first: Value, given: Given) -> Value:
    values = given.arguments
    if len(values) == 1:
        item = any_item(engine, first, given.node)
        values = [] if item is None else [item]
    function = given.keywords.get("key")
    if function is not None:
        for value in values:
            engine.call(function, Given(given.node, [value]))
    default = given.keywords.get("default")
    found = [*values, *(() if default is None else (default,))]
    if not found:
        return lost(at_run_time(given.node))
    value = either(found)
    return value._replace(is_copied=False) if isinstance(value, Opaque) else value


def _str(engine: Engine, given: Given) -> Value:  # noqa: ARG001 - one signature for all
    first = _first(given)
    if first is None:
        return Known("")
    texts = [
        Known(str(part.value))
        for part in each(first)
        if isinstance(part, Known) and (not isinstance(part.value, int) or abs(part.value) < 2**63)
    ]
    if len(texts) == len(each(first)):
        return either(texts)
    reasons = [part.reason for part in each(first) if isinstance(part, Opaque)]
    return computed(reasons[0] if reasons else at_run_time(given.node), given.values(), "text")


def _iter_with_default(engine: Engine, first: Value, given: Given) -> Value:
    return listed_from(engine, first, given.node.args[0])


def _vars(engine: Engine, first: Value, given: Given) -> Value | None:
    return from_instance(engine, first, given.node) if isinstance(first, Instance) else None


_BUILTINS: dict[str, Callable[[Engine, Given], Value | None]] = {
    "dict": _dict,
    "list": _list,
    "tuple": _list,
    "set": _list,
    "frozenset": _list,
    "reversed": _with_first(lambda engine, first, given: listed_from(engine, first, given.node)),
    "iter": _with_first(_iter_with_default),
    "sorted": _sorted,
    "range": _range,
    "zip": _zip,
    "enumerate": _with_first(_enumerate),
    "map": _map,
    "filter": _filter,
    "next": _with_first(_next),
    "min": _with_first(_extreme),
    "max": _with_first(_extreme),
    "str": _str,
    "vars": _with_first(_vars),
}


def _copied(engine: Engine, callee: Opaque, given: Given) -> Value:
    first = _first(given)
    return (
        call_unknown_function(engine, callee, given) if first is None else copy_of(engine, first, given.node)
    )


def _partial(engine: Engine, callee: Opaque, given: Given) -> Value:
    if not given.arguments or given.is_open:
        return call_unknown_function(engine, callee, given)
    function, *rest = given.arguments
    return Partial(function, tuple(rest), tuple(given.keywords.items()))


def _first_argument(engine: Engine, callee: Opaque, given: Given) -> Value:
    first = _first(given)
    return call_unknown_function(engine, callee, given) if first is None else first


def _all_arguments(engine: Engine, callee: Opaque, given: Given) -> Value:  # noqa: ARG001 - one signature for all
    rest = lost(at_run_time(given.node)) if given.is_open else None
    return Listed(given.node, engine.region, list(given.arguments), rest)


def _called_elsewhere(engine: Engine, callee: Opaque, given: Given) -> Value:
    if not given.arguments or given.is_open:
        return call_unknown_function(engine, callee, given)
    function, *rest = given.arguments
    with engine.within():
        return engine.call(function, Given(given.node, rest, given.keywords))


def _mapped_elsewhere(engine: Engine, callee: Opaque, given: Given) -> Value:
    return _map(engine, given) or call_unknown_function(engine, callee, given)


def _chained(engine: Engine, callee: Opaque, given: Given) -> Value:  # noqa: ARG001 - one signature for all
    result = Listed(given.node, engine.region)
    for value in given.arguments:
        items, rest = items_of(engine, value, given.node)
        result.items += items
        found = [part for part in (result.rest, rest) if part is not None]
        result.rest = either(found) if found else None
    return result


def _as_dictionary(engine: Engine, callee: Opaque, given: Given) -> Value:
    found: list[Value] = [
        from_instance(engine, part, given.node)
        for value in given.arguments[:1]
        for part in each(value)
        if isinstance(part, Instance)
    ]
    return either(found) if found else call_unknown_function(engine, callee, given)


def _joined_path(engine: Engine, callee: Opaque, given: Given) -> Value:
    texts = [
        part.value for part in given.arguments if isinstance(part, Known) and isinstance(part.value, str)
    ]
    if len(texts) == len(given.arguments) and not any(text.startswith("/") for text in texts[1:]):
        return Known("/".join(text.rstrip("/") for text in texts))
    return call_unknown_function(engine, callee, given)


_POOLS = ("concurrent.futures.ThreadPoolExecutor()", "concurrent.futures.ProcessPoolExecutor()")
_MAPPING_POOLS = (*_POOLS, "multiprocessing.Pool()", "multiprocessing.pool.ThreadPool()")
_LIBRARY: dict[str, Callable[[Engine, Opaque, Given], Value]] = {
    "copy.copy": _copied,
    "copy.deepcopy": _copied,
    "functools.partial": _partial,
    "asyncio.run": _first_argument,
    "asyncio.create_task": _first_argument,
    "asyncio.ensure_future": _first_argument,
    "asyncio.wait_for": _first_argument,
    "asyncio.gather": _all_arguments,
    "asyncio.to_thread": _called_elsewhere,
    "itertools.chain": _chained,
    "dataclasses.asdict": _as_dictionary,
    "os.path.join": _joined_path,
    "typing.cast": lambda engine, callee, given: (
        given.get(1, "val") or call_unknown_function(engine, callee, given)
    ),
    **{f"{pool}.map": _mapped_elsewhere for pool in _MAPPING_POOLS},
    **{f"{pool}.submit": _called_elsewhere for pool in _POOLS},
}
