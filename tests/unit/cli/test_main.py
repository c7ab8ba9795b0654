"""How the command line ends: what it prints and its exit code."""

import pytest

from patterns_os.cli.main import run


def test_the_help_of_a_command_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "data", "--help"]) == 0

    printed = capsys.readouterr()
    assert "Example: patterns table data" in printed.out
    assert printed.err == ""


def test_a_missing_argument_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "data"]) == 2

    assert "Missing argument" in capsys.readouterr().err


def test_an_unknown_command_is_named_with_its_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tabel"]) == 2

    assert 'There is no command "tabel", did you mean "table"?' in capsys.readouterr().err


def test_an_unknown_option_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--nonsense"]) == 2

    assert "--nonsense" in capsys.readouterr().err
