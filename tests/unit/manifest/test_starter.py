"""A new app is good from its first moment."""

import pytest

from patterns_os.errors import UsageError
from patterns_os.manifest.parse import parse_configuration, parse_manifest
from patterns_os.manifest.starter import app_name, app_title, starter_files


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("quick-start", "quick-start"),
        ("Quick Start!", "quick-start"),
        ("my_app", "my_app"),
        ("_Café_", "cafe"),
    ],
)
def test_a_name_is_made_plain(text, name):
    assert app_name(text) == name
    assert parse_manifest(starter_files(name)["manifest.json"].encode()).is_good


@pytest.mark.parametrize("text", ["", "日本", "a" * 64])
def test_a_name_that_can_not_be_made_plain_is_refused(text):
    with pytest.raises(UsageError) as caught:
        app_name(text)

    assert str(caught.value) == (
        f'error[bad-name] "{text}" is not a name of an app, expected 1 to 63 letters, digits, - and _\n'
        "  hint: try a short name like my-app"
    )


def test_the_files_of_a_new_app():
    files = starter_files("quick-start")

    assert sorted(files) == [".gitignore", "manifest.json", "patterns.json", "readme.md"]
    assert (
        parse_manifest(files["manifest.json"].encode()).spec.title
        == app_title("quick-start")
        == "Quick start"
    )
    assert parse_configuration(files["patterns.json"].encode()).is_good
    assert files[".gitignore"].splitlines()[:2] == [".patterns/", ".env"]
    assert files["readme.md"].startswith("# Quick start\n")
