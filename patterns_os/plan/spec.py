"""The plan: everything that the control plane and the launchers know of a version of an app.

Scripts and the app's modules travel as paths with the hash of their bytes; the bytes are kept beside the version.
"""

from hashlib import sha256
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

DEFAULT_BODY_BYTES = 1_048_576


class PlanPart(BaseModel):
    """Base of all parts: frozen, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_bytes(self) -> bytes:
        """Give the canonical JSON of the part: the same for the same content."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


class PlannedInput(PlanPart):
    """A table that a node reads.

    Attributes:
        port: The name that the script uses.
        access: `stream` or `read`.
        triggering: Whether new rows make the node due.
    """

    table: str
    port: str
    access: Literal["stream", "read"]
    triggering: bool


class PlannedOutput(PlanPart):
    """A table that a node writes, under the name that the script uses.

    Attributes:
        columns: Name → column type (`None` where it is not proven) of all columns that the node gives, sorted;
            `None` where the text does not prove which ones they are.
    """

    table: str
    port: str
    columns: dict[str, str | None] | None = None


class PlannedSource(PlanPart):
    """A file of the author's that runs: its path in the app folder, and the SHA-256 (hex) of its bytes."""

    path: str
    content: str


class PlannedCron(PlanPart):
    """When a node runs by the clock: a 5-field expression (already normalised) and an IANA time zone.

    Attributes:
        catchup: What makes up for missed ticks: a run for each, one run, or none.
        overlap: Whether a tick that comes while the node runs waits or is left out.
    """

    expression: str
    timezone: str = "UTC"
    catchup: Literal["all", "last", "none"] = "last"
    overlap: Literal["queue", "skip"] = "queue"


class PlannedNode(PlanPart):
    """A node as it runs.

    Attributes:
        kind: `python`, `sql` or `javascript` (TypeScript too; webhooks are planned apart).
        file: The script, relative to the app folder.
        content: Hash of everything of the author's that decides what the node does.
        when: `any` or `all` of the triggering inputs must be new.
        cron: Replaces the reactive trigger.
        manual: True if the node has neither triggering inputs nor a cron.
        parameters: Values by name, as given in the manifest (JSON).
        retries: How often a record is tried again before it is set aside.
        timeout_s: Seconds without reaching a record boundary after which the script is killed.
        max_hops: How often the node takes a row and what came of it, if it is in a circle of tables that
            trigger it; `None` where another node of it says, or none.
        sql: For SQL nodes the statements with `{{...}}` calls rendered, each relation a quoted name in the
            app's schema; the target of a write is left out (see `writes`).
        sql_kind: `select` replaces `outputs[0]`, `insert` appends to it.
        sources: The script and the app's modules that it imports, sorted by path.
        runtime: What patterns.json says of the node's runtime, `None` for the default one.
    """

    name: str
    kind: Literal["python", "sql", "javascript"]
    file: str
    content: str
    inputs: tuple[PlannedInput, ...] = ()
    outputs: tuple[PlannedOutput, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    when: Literal["any", "all"] = "any"
    cron: PlannedCron | None = None
    manual: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    retries: int = 3
    timeout_s: float = 600.0
    on_error: Literal["hold", "stop"] = "hold"
    start: Literal["beginning", "now"] = "beginning"
    isolation: Literal["warm", "run"] = "warm"
    max_hops: int | None = None
    sql: tuple[str, ...] = ()
    sql_kind: Literal["select", "insert"] | None = None
    sources: tuple[PlannedSource, ...] = ()
    runtime: dict[str, Any] | None = None


class PlannedTable(PlanPart):
    """A table of the app.

    Attributes:
        columns: The declared ones only, name → one of the column types of `rows.types`.
        row_schema: What each row must be (`rows.schema.TableSchema.to_data`), `None` where nothing is declared.
    """

    name: str
    columns: dict[str, str] = Field(default_factory=dict)
    row_schema: dict[str, Any] | None = None
    unique_on: tuple[str, ...] = ()
    storage: str | None = None
    retention: dict[str, Any] = Field(default_factory=dict)

    @property
    def ordered_columns(self) -> dict[str, str]:
        """Its columns as they are declared one after the other: where a plan is kept, `columns` is sorted."""
        declared = [entry["name"] for entry in (self.row_schema or {}).get("fields", ())]
        return {
            name: self.columns[name]
            for name in dict.fromkeys((*declared, *self.columns))
            if name in self.columns
        }


class PlannedWebhook(PlanPart):
    """An HTTP endpoint that appends what it receives to `table`.

    Attributes:
        dedupe: What tells that a delivery came before, as declared; `None` leaves it to the preset of `verify`.
        rate: How many requests are taken in, like `100/s`; `None` for all.
    """

    name: str
    title: str
    path: str
    table: str
    verify: dict[str, Any] | None = None
    dedupe: str | dict[str, str] | None = None
    respond: dict[str, Any] | None = None
    max_body_bytes: int = DEFAULT_BODY_BYTES
    rate: str | None = None


class PlannedChart(PlanPart):
    """A picture of a table: a Vega-Lite file. It never runs.

    Attributes:
        content: The SHA-256 (hex) of the file's bytes.
    """

    name: str
    file: str
    table: str
    title: str | None = None
    content: str = ""


class PlannedModel(PlanPart):
    """An ML model: what the manifest declares, joined with what patterns.json binds it to.

    Attributes:
        provider: `openai` (any compatible endpoint), `echo`, or `None` where nothing is bound.
        secret: Name of the secret that holds the key, never its value.
    """

    name: str
    type: str = "chat"
    provider: str | None = None
    endpoint: str | None = None
    model: str | None = None
    secret: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Plan(PlanPart):
    """One version of an app. Parts are sorted by name; nodes too."""

    app: str
    nodes: tuple[PlannedNode, ...] = ()
    tables: tuple[PlannedTable, ...] = ()
    webhooks: tuple[PlannedWebhook, ...] = ()
    charts: tuple[PlannedChart, ...] = ()
    files: tuple[str, ...] = ()
    models: tuple[PlannedModel, ...] = ()
    toolchain: dict[str, str] = Field(default_factory=dict)

    @property
    def version_hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of `to_bytes()`."""
        return sha256(self.to_bytes()).hexdigest()[:16]

    def node(self, name: str) -> PlannedNode | None:
        """Give the node of that name, or `None`."""
        return next((node for node in self.nodes if node.name == name), None)
