"""Findings as text for people, for programs, for code scanners and for GitHub's checks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote as percent_encoded

from patterns_os import __version__
from patterns_os.diagnostics import Diagnostic, Location, Severity, quote, render_diagnostic

SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


class Format(StrEnum):
    """How findings are printed."""

    HUMAN = "human"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def render_findings(
    found: Sequence[Diagnostic], form: Format, *, summaries: Mapping[str, str], base: str = ""
) -> str:
    """Give findings as text, without a line end at its end; the empty text where there is nothing to say.

    Args:
        found: The findings.
        form: How.
        summaries: A sentence for each code, for SARIF.
        base: Folder of the app within the repository, for SARIF and GitHub: their paths start at its root.
    """
    match form:
        case Format.HUMAN:
            return "\n".join(render_diagnostic(diagnostic) for diagnostic in found)
        case Format.JSON:
            return json.dumps([diagnostic.to_json() for diagnostic in found], ensure_ascii=False, indent=2)
        case Format.SARIF:
            return json.dumps(_sarif(found, summaries, base), ensure_ascii=False, indent=2)
        case Format.GITHUB:
            return "\n".join(_annotation(diagnostic, base) for diagnostic in found)


def count_findings(found: Iterable[Diagnostic]) -> str:
    """Give how many there are: `1 error, 2 warnings`, or `no findings`."""
    severities = [diagnostic.severity for diagnostic in found]
    counted = [(severities.count(severity), severity) for severity in Severity]
    named = [f"{number} {severity}{'' if number == 1 else 's'}" for number, severity in counted if number]
    return ", ".join(named) or "no findings"


def _sarif(found: Sequence[Diagnostic], summaries: Mapping[str, str], base: str) -> dict[str, Any]:
    """Give a log of SARIF 2.1.0 with one run."""
    codes = sorted({diagnostic.code for diagnostic in found})
    rules = [_sarif_rule(code, summaries) for code in codes]
    driver = {"name": "patterns", "version": __version__, "rules": rules}
    results = [_sarif_result(diagnostic, codes.index(diagnostic.code), base) for diagnostic in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _sarif_rule(code: str, summaries: Mapping[str, str]) -> dict[str, Any]:
    explained = {"text": f"`patterns explain {code}` tells more."}
    text = summaries.get(code)
    return {"id": code, **({"shortDescription": {"text": text}} if text else {}), "help": explained}


def _sarif_result(diagnostic: Diagnostic, index: int, base: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": str(diagnostic.severity),
        "message": {"text": _in_words(diagnostic)},
    }
    if diagnostic.where is not None:
        result["locations"] = [{"physicalLocation": _sarif_location(diagnostic.where, base)}]
    return result


def _sarif_location(where: Location, base: str) -> dict[str, Any]:
    # An address: blanks and the like are written in percent, slashes stay.
    artifact = {"uri": percent_encoded(_path(where, base)), "uriBaseId": "%SRCROOT%"}
    region = {"startLine": where.line, "startColumn": where.column}
    return {"artifactLocation": artifact, "region": region}


def _annotation(diagnostic: Diagnostic, base: str) -> str:
    """Give a workflow command of GitHub Actions."""
    properties = {"title": diagnostic.code}
    if diagnostic.where is not None:
        where = diagnostic.where
        place = {"file": _path(where, base), "line": str(where.line), "col": str(where.column)}
        properties = place | properties
    shown = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::{diagnostic.severity} {shown}::{_escaped(_in_words(diagnostic))}"


def _in_words(diagnostic: Diagnostic) -> str:
    lines = [diagnostic.message]
    if diagnostic.known is not None:
        label, names = diagnostic.known
        lines.append(f"{label}: {', '.join(map(quote, names)) or 'none'}")
    return "\n".join([*lines, *([f"hint: {diagnostic.hint}"] if diagnostic.hint else [])])


def _path(where: Location, base: str) -> str:
    return f"{base.rstrip('/')}/{where.file}" if base else where.file


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
