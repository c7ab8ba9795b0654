"""What `manifest.json` says: the graph of an app as its author wrote it, checked and typed.

Nothing is resolved here: a name that nothing declares, a file that is missing or a cron that never comes is
found by whoever builds the graph.
"""

from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from patterns_os.manifest.scripts import (
    CronTriggerSpec,
    InputSpec,
    ResourcesSpec,
    ScriptSpec,
    TableTriggerSpec,
    file_stem,
)
from patterns_os.manifest.stores import EngineSpec, FileStoreSpec, RetentionSpec, StoreSpec, TableStoreSpec
from patterns_os.manifest.values import (
    METADATA,
    SCHEMA_BASE,
    AppName,
    FilePath,
    Items,
    Metadata,
    PlainName,
    SecretName,
    Spec,
    TableName,
)
from patterns_os.manifest.webhooks import RespondSpec, VerifySpec, WebhookSpec

__all__ = [
    "ChartSpec",
    "CronTriggerSpec",
    "EngineSpec",
    "ExposesSpec",
    "FileStoreSpec",
    "InputSpec",
    "ManifestSpec",
    "ModelSpec",
    "ParameterSpec",
    "ResourcesSpec",
    "RespondSpec",
    "RetentionSpec",
    "ScriptSpec",
    "StoreSpec",
    "TableStoreSpec",
    "TableTriggerSpec",
    "VerifySpec",
    "WebhookSpec",
]


class ModelSpec(Spec):
    """An ML model that scripts ask for by name; patterns.json binds it to a provider."""

    noun: ClassVar[str] = "a model"

    name: PlainName = Field(description="Name that scripts use.", examples=["base-llm"])
    type: Literal["next-token-text", "chat", "text-embedding", "text-to-image"] = Field(
        description="What the model does."
    )
    description: str | None = Field(
        None, description="What the app uses it for.", examples=["Sums up each thread."]
    )
    fine_tunable: bool = Field(
        False, alias="fine-tunable", description="Whether the app may train it further."
    )


class ParameterSpec(Spec):
    """A value of the app that its scripts ask for by name."""

    noun: ClassVar[str] = "a parameter"

    name: PlainName = Field(description="Name that scripts use.", examples=["limit"])
    type: Literal["str", "int", "float", "bool", "date", "datetime", "list"] = Field(
        "str", description="Kind of the value."
    )
    title: str | None = Field(None, description="Name for people.", examples=["Largest number of rows"])
    description: str | None = Field(
        None, description="What it changes.", examples=["How many rows one run takes."]
    )
    default: Any = Field(None, description="Value where none is given.", examples=[10, "2026-01-31"])


class ChartSpec(Spec):
    """A picture of a table: a Vega-Lite file without data of its own."""

    noun: ClassVar[str] = "a chart"

    file: FilePath = Field(
        description="Vega-Lite file, relative to the app folder.", examples=["orders_by_day.json"]
    )
    table: TableName = Field(description="Table that it draws.", examples=["orders"])
    name: PlainName | None = Field(
        None,
        description="Name of the node. Default: the file's name without its ending.",
        examples=["orders_by_day"],
    )
    title: str | None = Field(None, description="Name for people.", examples=["Orders by day"])
    description: str | None = Field(None, description="What it shows.", examples=["One bar a day."])
    metadata: Metadata | None = Field(None, description=METADATA)

    @property
    def node_name(self) -> str:
        """The name of the node in the graph: `name`, else the stem of the file."""
        return self.name or file_stem(self.file)


class ExposesSpec(Spec):
    """What an app that includes this one may connect and set; all else is private."""

    noun: ClassVar[str] = "what an app exposes"

    inputs: Items[FilePath] = Field(
        (), description="Tables and files that it needs filled.", examples=[["prompts"]]
    )
    outputs: Items[FilePath] = Field(
        (), description="Tables and files that it fills.", examples=[["completions"]]
    )
    parameters: Items[PlainName] = Field((), description="Parameters that it takes.", examples=[["limit"]])


class ManifestSpec(Spec):
    """A machine-oriented app: scripts, the stores between them, models and webhooks."""

    noun: ClassVar[str] = "a manifest"
    later: ClassVar[dict[str, str]] = {
        "agents": "agents",
        "connections": "OAuth connections",
    }

    schema_url: str | None = Field(
        None,
        alias="$schema",
        description="Schema that editors check this file with.",
        examples=[SCHEMA_BASE + "/manifest.schema.json"],
    )
    name: AppName = Field(description="Name of the app.", examples=["my-app"])
    title: str | None = Field(None, description="Name for people.", examples=["Orders"])
    description: str | None = Field(
        None, description="What the app does.", examples=["Sorts what the shop sends."]
    )
    version: str | None = Field(None, description="Version that the author gives it.", examples=["0.1.0"])
    scripts: Items[ScriptSpec] = Field((), description="Scripts: the nodes that run code.")
    stores: Items[StoreSpec] = Field((), description="Tables and files.")
    models: Items[ModelSpec] = Field((), description="ML models.")
    webhooks: Items[WebhookSpec] = Field((), description="HTTP endpoints that fill tables.")
    parameters: Items[ParameterSpec] = Field((), description="Values that scripts ask for by name.")
    secrets: Items[SecretName] = Field((), description="Names of the secrets that the app needs.")
    charts: Items[ChartSpec] = Field((), description="Pictures of tables.")
    exposes: ExposesSpec | None = Field(
        None, description="What an app that includes this one may connect and set. Default: everything."
    )
    metadata: Metadata | None = Field(None, description=METADATA)

    @cached_property
    def tables(self) -> tuple[TableStoreSpec, ...]:
        """The declared tables, as listed."""
        return tuple(store for store in self.stores if isinstance(store, TableStoreSpec))

    @cached_property
    def files(self) -> tuple[FileStoreSpec, ...]:
        """The declared files, as listed."""
        return tuple(store for store in self.stores if isinstance(store, FileStoreSpec))
