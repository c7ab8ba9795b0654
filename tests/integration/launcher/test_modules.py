"""The app's own modules come from the version, at the places where they lie."""

import importlib
import sys
import traceback
from pathlib import Path

import pytest

from patterns_os.launcher.modules import VersionedModules


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an app's folder that Python looks into; everything is put back."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.setattr(sys, "path_importer_cache", dict(sys.path_importer_cache))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_what_is_edited_meanwhile_is_not_imported(folder: Path) -> None:
    (folder / "naming_of_app.py").write_text("name = 'edited'\n")
    VersionedModules(folder, {"naming_of_app.py": b"name = 'deployed'\n"}).install()

    module = importlib.import_module("naming_of_app")

    assert (module.name, module.__file__) == ("deployed", str(folder / "naming_of_app.py"))
    assert not (folder / "__pycache__").exists()


def test_packages_with_and_without_an_init_file_are_found_where_no_file_lies(folder: Path) -> None:
    VersionedModules(
        folder,
        {
            "whole_of_app/__init__.py": b"from .inner import x\n",
            "whole_of_app/inner.py": b"x = 1\n",
            "bare_of_app/deep/inner.py": b"from ..beside import y\n",
            "bare_of_app/beside.py": b"y = 2\n",
        },
    ).install()

    assert importlib.import_module("whole_of_app").x == 1
    assert importlib.import_module("bare_of_app.deep.inner").y == 2


def test_what_the_version_does_not_name_is_imported_as_ever(folder: Path) -> None:
    (folder / "other_of_app.py").write_text("x = 'as ever'\n")
    VersionedModules(folder, {"naming_of_app.py": b""}).install()

    assert importlib.import_module("other_of_app").x == "as ever"
    with pytest.raises(ModuleNotFoundError, match="nothing_of_app"):
        importlib.import_module("nothing_of_app")


def test_trace_backs_show_the_version_s_lines(folder: Path) -> None:
    (folder / "failing_of_app.py").write_text("# edited\n")
    VersionedModules(
        folder, {"failing_of_app.py": b"def fail():\n    raise ValueError('deployed')\n"}
    ).install()

    with pytest.raises(ValueError, match="deployed") as caught:
        importlib.import_module("failing_of_app").fail()

    assert traceback.extract_tb(caught.value.__traceback__)[-1].line == "raise ValueError('deployed')"


def test_modules_that_are_imported_again_are_compiled_once(folder: Path) -> None:
    modules = VersionedModules(folder, {"naming_of_app.py": b"name = 1\n"})
    modules.install()
    importlib.import_module("naming_of_app")
    path = str(folder / "naming_of_app.py")
    code = modules.code(path)
    del sys.modules["naming_of_app"]

    importlib.import_module("naming_of_app")

    assert modules.code(path) is code
