"""What a source file says, whatever it looks like: two files of one meaning do the same.

Comments, blank lines, indentation, quotes, the order of JSON keys and the case of SQL keywords are looks. Where
a file can't be read, its bytes are its meaning: a change is called formatting only if that is proven. Meanings
are compared within one process, never kept: parsers differ between releases.
"""

import ast
import json
import re
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any


def same_meaning(path: str, before: bytes, after: bytes) -> bool:
    """Tell whether two contents of the file at `path` are proven to do the same."""
    return before == after or meaning_of(path, before) == meaning_of(path, after)


def meaning_of(path: str, content: bytes) -> str:
    """Give the SHA-256 (hex) of what the file says; of its bytes where it can't be read."""
    read = _READERS.get(PurePosixPath(path).suffix.lower())
    try:
        said = b"" if read is None else read(content)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        said = b""
    return sha256(b"said:" + said if said else b"bytes:" + content).hexdigest()


def _python(content: bytes) -> bytes:
    """Give the syntax tree without places. Docstrings count: a program can ask for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(content)
    return "\n".join(_tree_words(tree)).encode("utf-8", "surrogatepass")


def _tree_words(tree: ast.AST) -> Iterator[str]:
    """Walk the tree without recursion; what is absent or empty is not told."""
    stack: list[Any] = [tree]
    while stack:
        found = stack.pop()
        if isinstance(found, ast.AST):
            yield f"({type(found).__name__}"
            stack.append(")")
            for name in reversed(found._fields):
                value = getattr(found, name, None)
                if name in _LOOKS or value is None or value == []:
                    # The value of a constant may be None, and says something then.
                    if isinstance(found, ast.Constant) and name == "value":
                        stack.append("None")
                    continue
                stack += [_Literal(value) if isinstance(found, ast.Constant) else value, f"{name}="]
        elif isinstance(found, list):
            yield "["
            stack.append("]")
            stack += ["None" if item is None else item for item in reversed(found)]
        else:
            yield found.text if isinstance(found, _Literal) else f"{type(found).__name__}:{found}"


class _Literal:
    """The value of a constant: `1`, `1.0`, `True` and `"1"` differ."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - whatever a constant holds
        text = hex(value) if isinstance(value, int) else value if isinstance(value, str) else repr(value)
        self.text = f"{type(value).__name__}:{len(text)}:{text}"


def _sql(content: bytes) -> bytes:
    """Give the tokens. What is not quoted has no case; templates keep theirs."""
    text = content.decode("utf-8-sig")
    words: list[str] = []
    for match in _SQL.finditer(text):
        kind, word = match.lastgroup or "", match.group()
        if kind == "word":
            words.append(word.lower())
        elif kind == "template":
            words.append(" ".join(word.split()) if "'" not in word and '"' not in word else word)
        elif kind != "look":
            words.append(word)
    return "\x00".join(words).encode()


_SQL = re.compile(
    r"""
    (?P<look>\s+|--[^\n]*|/\*(?!\+)(?:[^*]|\*(?!/))*\*/|\{\#(?:[^#]|\#(?!\}))*\#\})
    |(?P<template>\{\{(?:[^}]|\}(?!\}))*\}\}|\{%(?:[^%]|%(?!\}))*%\})
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*'|(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'|"(?:[^"]|"")*"
        |\$(?P<tag>[A-Za-z_]\w*)?\$(?:.|\n)*?\$(?(tag)(?P=tag))\$)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<operator>(?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?:])+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def _json(content: bytes) -> bytes:
    data = json.loads(content.decode("utf-8-sig"), parse_float=str, parse_int=str)
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _javascript(content: bytes) -> bytes:
    return _parsed("javascript", content)


def _typescript(content: bytes) -> bytes:
    return _parsed("typescript", content)


def _parsed(language: str, content: bytes) -> bytes:
    """Give kinds and texts of the syntax tree, comments left out: where lines may break is the parser's to know."""
    # Only apps with such files pay for loading the parser, and only when one has changed.
    import tree_sitter  # noqa: PLC0415 - see above

    parser = tree_sitter.Parser(_grammar(language))
    root = parser.parse(content).root_node
    if root.has_error:
        raise ValueError("not to be read")
    words: list[bytes] = []
    stack: list[Any] = [root]
    while stack:
        found = stack.pop()
        if isinstance(found, bytes):
            words.append(found)
        elif "comment" not in found.type:
            words.append(found.type.encode())
            stack.append(b")")
            if found.child_count and found.type not in _VERBATIM:
                stack += reversed([child for child in found.children if child.type != ";"])
            else:
                words.append(found.text)
    return b"\x00".join(words)


def _grammar(language: str) -> Any:  # noqa: ANN401 - a language of tree-sitter
    import tree_sitter  # noqa: PLC0415 - see `_parsed`

    if language == "javascript":
        import tree_sitter_javascript  # noqa: PLC0415 - the same

        return tree_sitter.Language(tree_sitter_javascript.language())
    import tree_sitter_typescript  # noqa: PLC0415 - the same

    return tree_sitter.Language(tree_sitter_typescript.language_typescript())


_LOOKS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_VERBATIM = frozenset({"string", "template_string", "regex"})
_READERS: dict[str, Callable[[bytes], bytes]] = {
    ".py": _python,
    ".sql": _sql,
    ".json": _json,
    ".js": _javascript,
    ".mjs": _javascript,
    ".ts": _typescript,
    ".mts": _typescript,
}
