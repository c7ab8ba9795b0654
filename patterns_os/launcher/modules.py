"""The app's own modules as the version has them: what is edited meanwhile belongs to the next one.

Only files that the version names are served from it, at the places where they lie; everything else is imported
as ever. So the order in which Python looks at places stays what it is.
"""

import linecache
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


class VersionedModules:
    """The modules of one version of an app.

    Args:
        folder: The app's folder, resolved.
        modules: Bytes by path in the folder, with forward slashes.
    """

    def __init__(self, folder: Path, modules: Mapping[str, bytes]) -> None:
        self._folder = str(folder)
        self._modules = {str(folder / path): content for path, content in modules.items()}
        self._compiled: dict[str, CodeType] = {}

    def install(self) -> None:
        """Serve the modules in this process from now on."""
        if self._modules:
            sys.path_hooks.insert(0, self._finder)
            for place in [place for place in sys.path_importer_cache if self._is_ours(place)]:
                del sys.path_importer_cache[place]

    def has(self, path: str) -> bool:
        """Tell whether the version has a module at the place."""
        return path in self._modules

    def has_below(self, folder: str) -> bool:
        """Tell whether the version has a module in the folder or further down."""
        return any(path.startswith(folder + os.sep) for path in self._modules)

    def content(self, path: str) -> bytes:
        """Give the bytes of a module."""
        return self._modules[path]

    def code(self, path: str) -> CodeType:
        """Give the code of a module, compiled once a process. Trace-backs show this source, whatever the file says."""
        if path not in self._compiled:
            source = self._modules[path]
            self._compiled[path] = compile(source, path, "exec", dont_inherit=True)
            text = decode_source(source)
            linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        return self._compiled[path]

    def _finder(self, place: str) -> "_Finder":
        if not self._is_ours(place) or not self.has_below(place):
            raise ImportError(place)
        return _Finder(self, place)

    def _is_ours(self, place: str) -> bool:
        return place == self._folder or place.startswith(self._folder + os.sep)


class _Finder:
    """Finds modules in one folder: those of the version first, then whatever else lies there."""

    def __init__(self, modules: VersionedModules, place: str) -> None:
        self._modules = modules
        self._place = place
        self._others = FileFinder(
            place,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Give where a module comes from, `None` if it is not in this folder."""
        base = str(Path(self._place, name.rpartition(".")[2]))
        package = str(Path(base, "__init__.py"))
        if self._modules.has(package):
            return self._spec(name, package, [base])
        if self._modules.has(f"{base}.py"):
            return self._spec(name, f"{base}.py", None)
        found = self._others.find_spec(name, target)
        if found is None and self._modules.has_below(base):
            found = ModuleSpec(name, None, is_package=True)
            found.submodule_search_locations = [base]
        return found

    def invalidate_caches(self) -> None:
        """Look at the folder again."""
        self._others.invalidate_caches()

    def _spec(self, name: str, path: str, below: Sequence[str] | None) -> ModuleSpec | None:
        loader = _Loader(name, path, self._modules)
        return spec_from_file_location(
            name, path, loader=loader, submodule_search_locations=None if below is None else list(below)
        )


class _Loader(SourceFileLoader):
    """Loads one module of the version. Nothing is read from the folder, nothing is cached in it."""

    def __init__(self, name: str, path: str, modules: VersionedModules) -> None:
        super().__init__(name, path)
        self._modules = modules

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the import system's signature
        """Give the module's code."""
        return self._modules.code(str(self.path))

    def get_data(self, path: Any) -> bytes:  # noqa: ANN401 - the import system's signature
        """Give the module's bytes, or those of a file that lies beside it."""
        return self._modules.content(path) if self._modules.has(path) else super().get_data(path)
