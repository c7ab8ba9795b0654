"""What tells one content of a node from another: a hash over everything of the author's that it does."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from patterns_os.graph.sources import Sources


def fingerprint(
    files: Iterable[str], sources: Sources, parameters: Mapping[str, Any], runtime: Mapping[str, Any] | None
) -> str:
    """Give the SHA-256 (hex) over the files with their paths, the parameters and the runtime.

    The order of files and keys plays no part; a file that is missing counts as absent. Lengths go before
    contents, so that no two sets of files look alike.
    """
    digest = sha256()
    for path in sorted({path for path in files if path in sources}):
        _add(digest.update, path.encode("utf-8", "surrogatepass"))
        _add(digest.update, sources[path])
    settings = {"parameters": dict(parameters), "runtime": None if runtime is None else dict(runtime)}
    _add(digest.update, json.dumps(settings, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def _add(update: Any, content: bytes) -> None:  # noqa: ANN401 - the bound method of a hash
    update(len(content).to_bytes(8, "big"))
    update(content)
