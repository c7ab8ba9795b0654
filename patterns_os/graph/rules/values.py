"""Rules about parameters, secrets, connections and models: who asks for them, and who gives them."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Final

from patterns_os.diagnostics import Location, did_you_mean, quote
from patterns_os.graph.included import asked_secret
from patterns_os.graph.rules.rule import Checked, Finding, Repair
from patterns_os.graph.vertices import NodeKind
from patterns_os.manifest.webhooks import verifying_secrets

TEXT_MODELS: Final = frozenset({"chat", "next-token-text"})

_KEYS: Final = {
    "an OpenAI or Anthropic key": r"sk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}",
    "a Stripe key": r"[sr]k_live_[A-Za-z0-9]{20,}",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"xox[abeprs]-[0-9A-Za-z-]{20,}",
    "an AWS key": r"AKIA[0-9A-Z]{16}",
    "a Google key": r"AIza[0-9A-Za-z_-]{35}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"[a-z][a-z0-9+]*://[^\s:/@\"'${}]+:(?!password|postgres|secret|pass)[^\s:/@\"'${}]{6,}@"
    r"(?!localhost|127\.)",
}
_BEGINNINGS: Final = (
    "sk-",
    "k_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "AIza",
    "-----BEGIN ",
    "://",
)
_KEY: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(f'({pattern})' for pattern in _KEYS.values())})")


def missing_parameters(checked: Checked) -> Iterator[Finding]:
    """Each parameter that a script asks for has a value or a default."""
    for node, use in checked.uses("parameter"):
        if use.detail.get("required", False) and use.name not in node.parameters:
            yield Finding(
                message=f"node {quote(node.name)} asks for parameter {quote(use.name)}, "
                "which has neither a value nor a default.",
                where=use.where,
                known=("given parameters", tuple(node.parameters)),
                hint=did_you_mean(use.name, node.parameters)
                or f'add "parameters": {{{quote(use.name)}: …}} to the script in manifest.json',
            )


def unknown_parameters(checked: Checked) -> Iterator[Finding]:
    """Each parameter that the manifest gives to a script is asked for."""
    for node in checked.graph.nodes:
        asked = tuple(sorted({use.name for use in node.analysis.uses if use.kind == "parameter"}))
        for name in node.parameters if checked.understands(node) else ():
            if name not in asked:
                yield Finding(
                    message=f"node {quote(node.name)} is given parameter {quote(name)}, "
                    "which its script never asks for.",
                    where=node.places.get("parameters", node.where),
                    known=("parameters of the script", asked),
                    hint=did_you_mean(name, asked),
                )


def parameters_of_other_types(checked: Checked) -> Iterator[Finding]:
    """Each value of a parameter can be turned into the type that the Python script wants."""
    for node, use in checked.uses("parameter"):
        kind, value = use.detail.get("type"), node.parameters.get(use.name)
        if node.kind is NodeKind.PYTHON and isinstance(kind, str) and not _fits(value, kind):
            yield Finding(
                message=f"node {quote(node.name)} is given {json.dumps(value, ensure_ascii=False)} for parameter "
                f"{quote(use.name)}, which is of type {quote(kind)}.",
                where=use.where,
            )


def unused_parameters(checked: Checked) -> Iterator[Finding]:
    """Each parameter of the app is asked for by a script."""
    asked = {use.name for _, use in checked.uses("parameter")}
    for index, parameter in enumerate(checked.spec.parameters if checked.is_understood else ()):
        if parameter.name not in asked:
            yield Finding(
                message=f"no script asks for parameter {quote(parameter.name)} of the app.",
                where=checked.in_manifest(f"/parameters/{index}"),
                hint=did_you_mean(parameter.name, asked) or 'remove it from "parameters"',
                subject=parameter.name,
            )


def remove_parameter(checked: Checked, finding: Finding) -> Repair | None:
    """Take the parameter out of the manifest, unless a name that scripts ask for is near."""
    if finding.hint and "did you mean" in finding.hint:
        return None
    names = [parameter.name for parameter in checked.spec.parameters]
    pointer = f"/parameters/{names.index(finding.subject)}"
    return Repair(file=checked.manifest.document.file, action="remove", pointer=pointer)


def undeclared_secrets(checked: Checked) -> Iterator[Finding]:
    """Each secret that a script uses is listed, so that whoever installs the app knows what to set."""
    listed = _listed_secrets(checked)
    for node, use in (*checked.uses("secret"), *checked.uses("connection")):
        known = listed | set(node.spec.get("secrets") or ())
        name = asked_secret(use) or ""
        # A graph.yml has no place for them.
        if name not in known and checked.manifest.document.file.endswith(".json"):
            why = f" for its connection {quote(use.name)}" if use.kind == "connection" else ""
            yield Finding(
                message=f"node {quote(node.name)} uses secret {quote(name)}{why}, which nothing declares.",
                where=use.where,
                known=("declared secrets", tuple(sorted(known))),
                hint=did_you_mean(name, known) or f'add {quote(name)} to "secrets" in manifest.json',
                subject=name,
            )
    for node in checked.graph.nodes if listed else ():
        for name in node.spec.get("secrets") or ():
            if name not in listed:
                yield Finding(
                    message=f"node {quote(node.name)} is given secret {quote(name)}, "
                    "which is not among the secrets of the app.",
                    where=node.places.get("secrets", node.where),
                    known=("secrets of the app", tuple(sorted(listed))),
                    hint=did_you_mean(name, listed) or f'add {quote(name)} to "secrets" in manifest.json',
                    subject=name,
                )


def declare_secret(checked: Checked, finding: Finding) -> Repair | None:
    """List the secret in the manifest, unless one that is nearly the same is listed."""
    if finding.hint and "did you mean" in finding.hint:
        return None
    file = checked.manifest.document.file
    return Repair(file=file, action="append", pointer="/secrets", value=finding.subject)


def unused_secrets(checked: Checked) -> Iterator[Finding]:
    """Each secret that the manifest lists is mentioned somewhere in the app."""
    spec = checked.spec
    if not spec.secrets:
        return
    settings = checked.parsed_configuration.document.content if checked.parsed_configuration else ""
    # Of included apps too, and those that stand in parameters as `${{ NAME }}`.
    given: set[str | None] = {
        str(name) for node in checked.graph.nodes for name in node.spec.get("secrets") or ()
    }
    given |= {asked_secret(use) for _, use in checked.uses("connection")}
    given |= {name for hook in spec.webhooks for name in verifying_secrets(hook.to_data().get("verify"))}
    for index, name in enumerate(spec.secrets):
        mentioned = any(name.encode() in text for file, text in checked.sources.items() if _is_code(file))
        if name not in given and name not in settings and not mentioned:
            yield Finding(
                message=f"the app asks for secret {quote(name)}, and nothing in it uses that.",
                where=checked.in_manifest(f"/secrets/{index}"),
                hint=f'remove {quote(name)} from "secrets"',
            )


def secrets_in_text(checked: Checked) -> Iterator[Finding]:
    """No file of the app holds a key or a token: what is in a file is in every copy of it."""
    parsed = (checked.manifest, checked.parsed_configuration)
    files = {one.document.file: one.document.content for one in parsed if one is not None} | {
        file: checked.sources[file].decode("utf-8", errors="replace") for file in _code_of(checked)
    }
    for file, text in files.items():
        # Nearly all files hold nothing of the kind, and a search for plain text is a hundred times as fast.
        for found in _KEY.finditer(text) if any(beginning in text for beginning in _BEGINNINGS) else ():
            line = text.count("\n", 0, found.start()) + 1
            column = found.start() - text.rfind("\n", 0, found.start())
            yield Finding(
                message=f"{quote(file)} holds what looks like {_kind_of_key(found)}.",
                where=Location(file=file, line=line, column=column),
                hint='`patterns secret set NAME` keeps it, Secret("NAME") asks for it; then make a new one: '
                "this one has been read",
            )


def unknown_models(checked: Checked) -> Iterator[Finding]:
    """Each model that a script asks for is declared or bound."""
    known = _models(checked)
    for node, use in checked.uses("model"):
        if use.name and use.name not in known:
            yield Finding(
                message=f"node {quote(node.name)} asks for model {quote(use.name)}, "
                "which neither manifest.json nor patterns.json knows.",
                where=use.where,
                known=("known models", tuple(sorted(known))),
                hint=did_you_mean(use.name, known)
                or f'add {{"name": {quote(use.name)}, "type": "chat"}} to "models" in manifest.json',
            )


def missing_text_models(checked: Checked) -> Iterator[Finding]:
    """Where a script imports `openai`, a model for text answers."""
    if any(kind in TEXT_MODELS for kind in _models(checked).values()):
        return
    for node, use in checked.uses("model"):
        if not use.name:
            yield Finding(
                message=f'node {quote(node.name)} imports "openai", which the app\'s text model answers, '
                "and no text model is declared or bound: calls to it will fail.",
                where=use.where,
                hint="patterns add model text --provider echo (made-up answers, to try it offline)",
            )


def unused_models(checked: Checked) -> Iterator[Finding]:
    """Each model that the manifest declares is asked for."""
    asked = {use.name for _, use in checked.uses("model")}
    for index, model in enumerate(checked.spec.models if checked.is_understood else ()):
        answers_openai = "" in asked and model.type in TEXT_MODELS
        if model.name not in asked and not answers_openai:
            yield Finding(
                message=f"model {quote(model.name)} is declared, and no script asks for it.",
                where=checked.in_manifest(f"/models/{index}"),
                hint=did_you_mean(model.name, asked) or 'remove it from "models"',
            )


def _fits(value: Any, kind: str) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether the SDK can turn the value into the type; of other types it turns nothing."""
    turn = _TURNED.get(kind)
    if turn is None or value is None or (isinstance(value, str) and "${" in value):
        return True
    try:
        turn(value)
    except (TypeError, ValueError):
        return False
    return True


def _to_bool(value: Any) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str) and value.lower() not in _TRUTHS:
        raise ValueError(value)


_TRUTHS: Final = frozenset({"1", "true", "yes", "on", "0", "false", "no", "off"})
_TURNED: Final[dict[str, Callable[[Any], object]]] = {
    "int": int,
    "float": float,
    "bool": _to_bool,
    "list": list,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def _listed_secrets(checked: Checked) -> frozenset[str]:
    settings = checked.configuration
    bound = {model.secret for model in settings.models if model.secret} if settings else set()
    return frozenset({*checked.spec.secrets, *(settings.secrets if settings else ()), *bound})


def _is_code(file: str) -> bool:
    return file.endswith((".py", ".sql", ".js", ".mjs", ".ts", ".mts"))


def _code_of(checked: Checked) -> list[str]:
    used = {node.file for node in checked.graph.nodes if node.file is not None}
    used |= {file for node in checked.graph.nodes for file in node.analysis.imports}
    return sorted(file for file in used if file in checked.sources)


def _kind_of_key(found: re.Match[str]) -> str:
    return list(_KEYS)[(found.lastindex or 1) - 1]


def _models(checked: Checked) -> dict[str, Any]:
    bound = checked.configuration.models if checked.configuration else ()
    found = {binding.name: "chat" for binding in bound}
    return found | {name: str(data.get("type")) for name, data in checked.graph.models.items()}
