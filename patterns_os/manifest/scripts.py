"""A script in `manifest.json`: what runs, when, on what.

An entry may also include another app as one node: by the path of its manifest, or as a component by name.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from patterns_os.diagnostics import did_you_mean
from patterns_os.manifest.values import (
    METADATA,
    ComponentName,
    Duration,
    FilePath,
    Items,
    Metadata,
    PlainName,
    SecretName,
    Spec,
    TableName,
    either,
    tag,
)

COMPONENTS_FOLDER: Final = ".components"
"""Where the files of components stand among those of an app; no author's file is in such a folder."""
MANIFEST_NAMES: Final = ("manifest.json", "graph.yml", "graph.yaml")
"""What the file is called that makes a folder an app; the first that is there counts."""
INCLUDED_ENDINGS: Final = (".json", ".yml", ".yaml")

_CRON_FIELDS: Final = 5
_CRON_NAMES: Final = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")


def _check_cron(text: str) -> str:
    fields = text.split()
    if text in _CRON_NAMES or (len(fields) == _CRON_FIELDS and not text.startswith("@")):
        return text
    hint = did_you_mean(text, ("manual", *_CRON_NAMES))
    message = "{value} is not a cron, expected five fields (minute hour day month weekday) or @daily"
    raise PydanticCustomError("wrong-value", message, {"hint": hint} if hint else {})


def _check_trigger(text: str) -> str:
    return text if text == "manual" else _check_cron(text)


CronText = Annotated[str, AfterValidator(_check_cron)]


class CronTriggerSpec(Spec):
    """Runs a node by the clock."""

    noun: ClassVar[str] = "a cron trigger"

    cron: CronText = Field(
        description="Five fields (minute hour day month weekday) or @daily, @hourly, …",
        examples=["0 9 * * mon-fri", "@daily"],
    )
    timezone: str = Field(
        "UTC", description="IANA time zone that the fields are read in.", examples=["Europe/Berlin"]
    )
    catchup: Literal["all", "last", "none"] = Field(
        "last",
        description="What makes up for ticks that were missed while nothing ran: a run for each, one run, or none.",
    )
    overlap: Literal["queue", "skip", "allow"] = Field(
        "queue", description="What a tick does that comes while the node runs: wait, or be left out."
    )

    @field_validator("overlap")
    @classmethod
    def _one_at_a_time(cls, overlap: str) -> str:
        if overlap == "allow":
            message = '"overlap": "allow" is not possible yet, a node runs once at a time'
            raise PydanticCustomError("not-yet", message, {"hint": 'write "queue" or "skip"'})
        return overlap


class TableTriggerSpec(Spec):
    """Runs a node on new rows of the tables in `on`."""

    noun: ClassVar[str] = "a table trigger"

    when: Literal["any", "all"] = Field(
        "any", description="Whether one of the tables with new rows is enough."
    )
    on: Items[TableName] = Field(
        min_length=1, description="Tables whose new rows trigger.", examples=[["orders"]]
    )


def _trigger_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    if isinstance(value, CronTriggerSpec) or (
        isinstance(value, dict) and {"cron", "timezone", "catchup", "overlap"} & value.keys()
    ):
        return tag("CronTriggerSpec")
    return tag("TableTriggerSpec") if isinstance(value, dict | TableTriggerSpec) else None


Trigger = Annotated[
    Annotated[str, AfterValidator(_check_trigger), Tag(tag("text"))]
    | Annotated[CronTriggerSpec, Tag(tag("CronTriggerSpec"))]
    | Annotated[TableTriggerSpec, Tag(tag("TableTriggerSpec"))],
    either('"manual", a cron text, or an object with "cron" or with "when" and "on"', _trigger_form),
]


class InputSpec(Spec):
    """A table that a node reads, with how."""

    noun: ClassVar[str] = "an input"

    table: TableName = Field(description="Table that is read.", examples=["orders"])
    access: Literal["stream", "read"] | None = Field(
        None,
        description="stream takes each row once and triggers; read looks at the whole. Default: by the code.",
    )


def _input_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    return tag("InputSpec") if isinstance(value, dict | InputSpec) else None


def _list_or_map(value: object) -> str | None:
    if isinstance(value, dict):
        return tag("map")
    return tag("list") if isinstance(value, list | tuple) else None


StoreName = FilePath
"""A table or a file: which of them is known only with all stores at hand."""
InputEntry = Annotated[
    Annotated[StoreName, Tag(tag("text"))] | Annotated[InputSpec, Tag(tag("InputSpec"))],
    either('the name of a store or an object with "table"', _input_form),
]
Inputs = Annotated[
    Annotated[Items[InputEntry], Tag(tag("list"))] | Annotated[dict[PlainName, InputEntry], Tag(tag("map"))],
    either("a list of stores or an object of stores", _list_or_map),
]
Outputs = Annotated[
    Annotated[Items[StoreName], Tag(tag("list"))] | Annotated[dict[PlainName, StoreName], Tag(tag("map"))],
    either("a list of stores or an object of stores", _list_or_map),
]


class ResourcesSpec(Spec):
    """What a node needs of its host; a local run takes no notice."""

    noun: ClassVar[str] = "resources"

    cpu: float | None = Field(None, gt=0, description="Processor cores.", examples=[0.5])
    memory: str | None = Field(
        None, pattern=r"^[1-9][0-9]*(MB|GB|MiB|GiB)$", description="Memory.", examples=["512MB"]
    )
    gpu: str | None = Field(None, description="Kind of graphics processor.", examples=["T4"])


def _file_or_uses(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["file"]}, {"required": ["uses"]}]


class ScriptSpec(Spec):
    """A script of the app: one node of the graph."""

    noun: ClassVar[str] = "a script"
    later: ClassVar[dict[str, str]] = {"partition_by": "running by key"}
    model_config = ConfigDict(json_schema_extra=_file_or_uses)

    file: FilePath = Field(
        description="Script, or the manifest of an app to include; relative to the app folder. With `uses` "
        "it may be left out: the component itself is included then.",
        examples=["my_script.py", "sub/manifest.json"],
    )
    uses: ComponentName | None = Field(
        None,
        description="Component to include, or template that the file was made from; with its version.",
        examples=["patterns/openai-completion@v4"],
    )
    name: PlainName | None = Field(
        None,
        description="Name of the node. Default: the file's name without its ending, of an included app its "
        "folder's name.",
        examples=["clean_orders"],
    )
    title: str | None = Field(None, description="Name for people.", examples=["Clean orders"])
    description: str | None = Field(
        None, description="What the script does.", examples=["Drops orders without a customer."]
    )
    runtime: str | None = Field(
        None, description="Runtime of patterns.json that it runs in.", examples=["custom-python"]
    )
    trigger: Trigger | None = Field(
        None,
        description="When it runs. Default: when a table that it streams, or else reads, has new rows.",
        examples=["manual", "*/5 * * * *", "@daily", {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}],
    )
    inputs: Inputs | None = Field(
        None,
        description="What it reads: stores, or the names that the script uses with the store of each.",
        examples=[["orders"], {"rows": "orders"}, {"rows": {"table": "orders", "access": "read"}}],
    )
    outputs: Outputs | None = Field(
        None,
        description="What it writes: stores, or the names that the script uses with the store of each.",
        examples=[["totals"], {"result": "totals"}],
    )
    open_ports: bool | None = Field(
        None,
        description="Whether names that `inputs` and `outputs` do not list are fine: each leads to the table "
        "of its name. Default: false.",
    )
    parameters: dict[str, Any] | None = Field(
        None, description="Values of the script's parameters, by name.", examples=[{"limit": 10}]
    )
    secrets: Items[SecretName] | None = Field(
        None,
        description="Names of secrets that it gets as environment variables.",
        examples=[["SLACK_TOKEN"]],
    )
    retries: int | None = Field(
        None, ge=0, le=100, description="How often a record is tried again. Default: 3.", examples=[5]
    )
    timeout: Duration | None = Field(
        None,
        description="Time without reaching a record boundary after which it is killed. Default: 10m.",
        examples=["10m"],
    )
    concurrency: int | None = Field(
        None, ge=1, description="How many runs go on at once; only 1 for now.", examples=[1]
    )
    on_error: Literal["hold", "stop"] | None = Field(
        None, description="hold sets a failing record aside and goes on; stop waits for you. Default: hold."
    )
    start: Literal["beginning", "now"] | None = Field(
        None, description="Where a new node begins in tables that have rows already. Default: beginning."
    )
    max_hops: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="For a node in a circle of tables that trigger it: how often it takes a row and what came of it; "
        "what comes round once more is held.",
        examples=[3],
    )
    resources: ResourcesSpec | None = Field(None, description="What it needs of its host.")
    isolation: Literal["warm", "run"] | None = Field(
        None, description="warm keeps the process between runs; run starts one for each. Default: warm."
    )
    metadata: Metadata | None = Field(None, description=METADATA)

    @property
    def node_name(self) -> str:
        """The name of the node in the graph: `name`, else one made from the file."""
        return self.name or default_name(self.file)

    @property
    def includes(self) -> bool:
        """Whether the entry includes another app instead of running a script."""
        return self.file.lower().endswith(INCLUDED_ENDINGS)

    @property
    def declared_inputs(self) -> dict[str, InputSpec] | None:
        """Inputs by port (a store listed without one is its own port); `None` where none are declared."""
        if self.inputs is None:
            return None
        if isinstance(self.inputs, dict):
            return {port: _as_input(entry) for port, entry in self.inputs.items()}
        entries = [_as_input(entry) for entry in self.inputs]
        return {entry.table: entry for entry in entries}

    @property
    def declared_outputs(self) -> dict[str, str] | None:
        """Stores by port (a store listed without one is its own port); `None` where none are declared."""
        if self.outputs is None or isinstance(self.outputs, dict):
            return self.outputs
        return {store: store for store in self.outputs}

    @field_validator("concurrency")
    @classmethod
    def _one_lane(cls, concurrency: int | None) -> int | None:
        if concurrency is not None and concurrency > 1:
            message = '"concurrency" above 1 is not possible yet, a node runs once at a time'
            raise PydanticCustomError("not-yet", message, {"hint": 'write 1, or leave "concurrency" out'})
        return concurrency

    @model_validator(mode="before")
    @classmethod
    def _component_file(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("uses"), str) and "file" not in data:
            return {**data, "file": component_file(data["uses"])}
        return data


def component_file(reference: str) -> str:
    """Give where the manifest of a component is found among the files of an app."""
    return f"{COMPONENTS_FOLDER}/{reference}/manifest.json"


def default_name(file: str) -> str:
    """Give the name of a node that has none of its own: the file's stem, of an included app its folder's."""
    folder, _, name = file.rpartition("/")
    if name in MANIFEST_NAMES and folder:
        return folder.rpartition("/")[2].partition("@")[0]
    return file_stem(file)


def file_stem(file: str) -> str:
    """Give the name of a file without folders and ending."""
    name = file.rpartition("/")[2]
    return name[: len(name) - len(file_ending(file))]


def file_ending(file: str) -> str:
    """Give the last dot of a file's name and what follows; empty without one, or with nothing before or after."""
    name = file.rpartition("/")[2]
    at = name.rfind(".")
    return name[at:] if 0 < at < len(name) - 1 else ""


def _as_input(entry: str | InputSpec) -> InputSpec:
    return entry if isinstance(entry, InputSpec) else InputSpec(table=entry)
