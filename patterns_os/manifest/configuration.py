"""What `patterns.json` says: where an app runs, on what, with which secrets and models.

`${NAME}` in any text stands for a variable of the environment or a secret; `$${` is a plain `${`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from patterns_os.diagnostics import Diagnostic, quote
from patterns_os.manifest.document import Document, Part, join_pointer
from patterns_os.manifest.values import SCHEMA_BASE, FilePath, Items, PlainName, SecretName, Spec

Lookup = Callable[[str], str | None]
"""Gives the value of a variable, or `None` where there is none."""


class StorageSpec(Spec):
    """A database or file system that holds stores."""

    noun: ClassVar[str] = "a storage"

    type: Literal["database", "file"] = Field(description="What it holds: tables or files.")
    url: str = Field(
        min_length=1, description="Its address.", examples=["postgresql://localhost/db", "s3://bucket/path"]
    )
    name: PlainName = Field(description="Name that stores use.", examples=["local-pg"])
    dialect: Literal["postgres", "materialize", "redshift", "risingwave"] | None = Field(
        None,
        description="How SQL of its tables is read, where the database speaks the protocol of Postgres and a SQL of "
        "its own. Default: postgres.",
        examples=["redshift"],
    )

    @field_validator("url")
    @classmethod
    def _fits_type(cls, url: str, info: ValidationInfo) -> str:
        # The address is not shown: it may hold a password.
        if info.data.get("type") == "database" and not url.startswith(("postgresql://", "postgres://", "${")):
            message = '"url" is not the address of a Postgres database, expected "postgresql://…"'
            raise PydanticCustomError("wrong-value", message)
        return url


class RuntimeSpec(Spec):
    """An image or environment that nodes run in."""

    noun: ClassVar[str] = "a runtime"

    name: PlainName = Field(description="Name that scripts use.", examples=["custom-python"])
    dockerfile: FilePath | None = Field(
        None, description="File that the image is built from.", examples=["docker/DOCKERFILE"]
    )
    image: str | None = Field(None, min_length=1, description="Ready image.", examples=["python:3.12-slim"])
    requirements: FilePath | None = Field(
        None, description="File with the Python packages of the environment.", examples=["requirements.txt"]
    )

    @model_validator(mode="after")
    def _has_one_base(self) -> "RuntimeSpec":
        bases = [base for base in (self.dockerfile, self.image, self.requirements) if base is not None]
        if len(bases) != 1:
            message = 'a runtime needs one of "dockerfile", "image" and "requirements", {count} are given'
            raise PydanticCustomError("wrong-value", message, {"count": len(bases) or "none"})
        return self


class ModelBindingSpec(Spec):
    """Who answers for a model of the manifest."""

    noun: ClassVar[str] = "a model"

    name: PlainName = Field(description="Name of the model in manifest.json.", examples=["base-llm"])
    provider: Literal["openai", "echo"] = Field(
        description="openai is any endpoint that speaks its protocol; echo answers offline."
    )
    endpoint: str | None = Field(
        None, min_length=1, description="Address of the endpoint.", examples=["https://api.openai.com/v1"]
    )
    model: str | None = Field(
        None, min_length=1, description="Name of the model there.", examples=["gpt-4o-mini"]
    )
    secret: SecretName | None = Field(
        None,
        description="Name of the secret with the key, never the key itself.",
        examples=["OPENAI_API_KEY"],
    )
    options: dict[str, Any] | None = Field(
        None, description="What else goes with each call.", examples=[{"temperature": 0}]
    )


class DeploymentSpec(Spec):
    """What starts launchers, and where."""

    noun: ClassVar[str] = "a deployment"

    engine: Literal["local", "docker", "kubernetes", "nomad"] = Field(
        "local", description="What starts launchers."
    )
    target: str = Field("local", min_length=1, description="Where: a name that the engine knows.")
    host: str | None = Field(
        None,
        min_length=1,
        description="Address that it listens on. Default: 127.0.0.1.",
        examples=["0.0.0.0"],  # noqa: S104 - an example, nothing listens there
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port that it listens on. Default: 3000.", examples=[8080]
    )


class ConfigurationSpec(Spec):
    """Where an app runs: storages, runtimes, secrets, models, deployment. Everything has a default."""

    noun: ClassVar[str] = "a configuration"

    schema_url: str | None = Field(
        None,
        alias="$schema",
        description="Schema that editors check this file with.",
        examples=[SCHEMA_BASE + "/patterns.schema.json"],
    )
    storages: Items[StorageSpec] = Field(
        (), description="Storages. Default: an embedded Postgres and a folder."
    )
    runtimes: Items[RuntimeSpec] = Field((), description="Images and environments that nodes run in.")
    secrets: Items[SecretName] = Field(
        (),
        description="Names of the secrets that must be set; an empty object stands for none.",
        examples=[["OPENAI_API_KEY"]],
        json_schema_extra=lambda schema: schema.update(
            items={"anyOf": [schema["items"], {"type": "object", "maxProperties": 0}]}
        ),
    )
    models: Items[ModelBindingSpec] = Field((), description="Who answers for the models of the manifest.")
    deployment: DeploymentSpec = Field(default_factory=DeploymentSpec, description="How the app is deployed.")
    rules: dict[str, Literal["off", "warning", "error"]] = Field(
        default_factory=dict,
        description="How bad findings are, by their codes; `patterns explain` lists them.",
        examples=[{"effect-without-once": "error", "unused-store": "off"}],
    )

    @property
    def databases(self) -> tuple[StorageSpec, ...]:
        """The storages for tables, as listed; the first is the default."""
        return tuple(storage for storage in self.storages if storage.type == "database")

    @property
    def file_storages(self) -> tuple[StorageSpec, ...]:
        """The storages for files, as listed; the first is the default."""
        return tuple(storage for storage in self.storages if storage.type == "file")

    @field_validator("secrets", mode="before")
    @classmethod
    def _mark_placeholders(cls, secrets: object) -> object:
        # The first published sample says `"secrets": [{}]`: an empty object names nothing. It is marked here
        # and dropped when all is checked, so that the positions of the others stay right.
        if not isinstance(secrets, list):
            return secrets
        return [_PLACEHOLDER if name == {} else name for name in secrets]

    @field_validator("secrets")
    @classmethod
    def _drop_placeholders(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in secrets if name != _PLACEHOLDER)


def interpolate(document: Document, lookup: Lookup) -> tuple[Any, tuple[Diagnostic, ...]]:
    """Put the values of variables into all texts (keys stay as they are).

    Returns:
        The data of the document with every `${NAME}` replaced, and what is wrong: a variable that `lookup`
        does not know (it stays as written), a `${` that is no variable. Values are never part of a message.
    """
    found: list[Diagnostic] = []
    data = _replace(document.data, (), document, lookup, found)
    return data, tuple(found)


def variables(document: Document) -> tuple[str, ...]:
    """Give the names of all variables that the document refers to, once each, in order."""
    names = [match["name"] for text in _texts(document.data) for match in _VARIABLE.finditer(text)]
    return tuple(dict.fromkeys(name for name in names if name))


def _replace(
    value: Any,  # noqa: ANN401 - plain JSON data
    path: tuple[Part, ...],
    document: Document,
    lookup: Lookup,
    found: list[Diagnostic],
) -> Any:  # noqa: ANN401 - plain JSON data
    match value:
        case dict():
            return {
                key: _replace(inner, (*path, key), document, lookup, found) for key, inner in value.items()
            }
        case list():
            return [_replace(inner, (*path, i), document, lookup, found) for i, inner in enumerate(value)]
        case str():
            return _VARIABLE.sub(lambda match: _value_of(match, path, document, lookup, found), value)
        case _:
            return value


def _value_of(
    match: re.Match[str], path: tuple[Part, ...], document: Document, lookup: Lookup, found: list[Diagnostic]
) -> str:
    name = match["name"]
    if match[0] == "$${":
        return "${"
    where = document.locate(join_pointer(path))
    if name is None:
        message = f"{quote(match[0])} is not a variable, expected a name like {quote('${DATABASE_URL}')}"
        hint = "write `$${` for a plain `${`"
        found.append(Diagnostic(code="bad-variable", message=message, where=where, hint=hint))
        return match[0]
    value = lookup(name)
    if value is None:
        message = f"the variable {quote(name)} is neither set in the environment nor a secret"
        hint = f"`patterns secret set {name}` stores it, or set it in .env"
        found.append(Diagnostic(code="unknown-variable", message=message, where=where, hint=hint))
        return match[0]
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


_PLACEHOLDER: Final = "__placeholder__"
_VARIABLE: Final = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{[^}]*\}?")
