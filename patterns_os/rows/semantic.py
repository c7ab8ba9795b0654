"""The semantic types: what a value means, beyond what a column can hold.

Names start with `common.`. A type stands below another (`of`) or below none; the chain ends at a root, which
means no more than its column type. Each type keeps all rules of those above it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.types import ColumnType

PREFIX: Final = "common."


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticType:
    """What a value means.

    Attributes:
        name: With its prefix: `common.Email`.
        of: Name of the type that it is a kind of, `None` for a root.
        base: What a column of it holds.
        rules: What else each value must be, by JSON Schema's words, those of the types above included.
    """

    name: str
    of: str | None
    base: ColumnType
    description: str
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """What a row means: columns that others may build on, in the order in which they are shown."""

    name: str
    description: str
    fields: tuple[FieldSchema, ...]

    def schema(self) -> TableSchema:
        """Give the schema of a table whose rows are such records."""
        return TableSchema(fields=self.fields, name=self.name)


def find_type(name: str) -> SemanticType | None:
    """Give the type of a value by its name (`common.Email`), or `None`."""
    return SEMANTIC_TYPES.get(name)


def find_record(name: str) -> RecordType | None:
    """Give the type of a row by its name (`common.Order`), or `None`."""
    return RECORD_TYPES.get(name)


def is_kind_of(name: str, other: str) -> bool:
    """Tell whether every value of the one type is one of the other; false for names that are not known."""
    return other in _lineage(name)


def semantic_field(name: str, semantic: SemanticType, *, nullable: bool = True) -> FieldSchema:
    """Give the column of that name and semantic type."""
    return FieldSchema(
        name=name, type=semantic.base, nullable=nullable, semantic=semantic.name, rules=dict(semantic.rules)
    )


def _lineage(name: str) -> Iterable[str]:
    """Give the names from the type up to its root."""
    if name in RECORD_TYPES:
        yield name
    found = SEMANTIC_TYPES.get(name)
    while found is not None:
        yield found.name
        found = SEMANTIC_TYPES.get(found.of) if found.of else None


def _whole(pattern: str) -> dict[str, str]:
    # In JSON Schema a pattern is searched, and Python's `$` overlooks a line end at the end.
    return {"pattern": rf"^(?:{pattern})(?![\s\S])"}


_ROOTS: Final = (
    ("Boolean", ColumnType.BOOL, "True or false."),
    ("Integer", ColumnType.BIGINT, "A whole number of 64 bits."),
    ("Float", ColumnType.DOUBLE, "A number with a fraction, of double precision."),
    ("Decimal", ColumnType.NUMERIC, "An exact number."),
    ("Text", ColumnType.TEXT, "Any text."),
    ("Moment", ColumnType.TIMESTAMPTZ, "A point in time."),
    ("Date", ColumnType.DATE, "A day of the calendar."),
    ("Binary", ColumnType.BYTEA, "Bytes."),
    ("Json", ColumnType.JSONB, "Any JSON value."),
)

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

# In an order in which each follows the type that it is a kind of.
_KINDS: Final[tuple[tuple[str, str, str, dict[str, Any]], ...]] = (
    ("Identifier", "Text", "What tells a thing apart in the system that it comes from.", {"minLength": 1}),
    (
        "Uuid",
        "Identifier",
        "A UUID, as 36 characters.",
        {"format": "uuid"},
    ),
    ("Slug", "Identifier", "A name for addresses: `my-first-post`.", _whole("[a-z0-9]+(?:[-_][a-z0-9]+)*")),
    ("Username", "Identifier", "The name of an account.", _whole(r"\S{1,200}")),
    ("Title", "Text", "A heading of one line.", _whole(r"[^\r\n]{1,1000}")),
    ("PersonName", "Text", "The name of a person, whole or a part of it.", _whole(r"[^\r\n]{1,500}")),
    ("OrganisationName", "Text", "The name of a company or another organisation.", _whole(r"[^\r\n]{1,500}")),
    ("Markdown", "Text", "Text in Markdown.", {}),
    ("Html", "Text", "Text in HTML.", {}),
    ("Email", "Text", "An email address.", {"format": "email"}),
    (
        "PhoneNumber",
        "Text",
        "A phone number, with or without the code of its country.",
        _whole(r"(?:tel:)?\+?[0-9(][0-9 ()./-]{3,30}[0-9)]"),
    ),
    (
        "Uri",
        "Text",
        "An address of any scheme: `mailto:a@example.com`.",
        {"format": "uri"},
    ),
    ("Url", "Uri", "An address of the web.", _whole(r"[Hh][Tt][Tt][Pp][Ss]?://\S+")),
    ("ImageUrl", "Url", "The address of an image.", {}),
    ("HostName", "Text", "The name of a host: `www.example.com`.", _whole(rf"{_LABEL}(?:\.{_LABEL})*\.?")),
    (
        "IpAddress",
        "Text",
        "An internet address of version 4 or 6.",
        _whole(rf"{_OCTET}(?:\.{_OCTET}){{3}}|[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f:.]{{1,40}}"),
    ),
    ("Country", "Text", "A country by its two letters of ISO 3166: `NL`.", _whole("[A-Z]{2}")),
    ("Currency", "Text", "A currency by its three letters of ISO 4217: `EUR`.", _whole("[A-Z]{3}")),
    (
        "Language",
        "Text",
        "A language by its tag: `en`, `pt-BR`.",
        _whole("[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"),
    ),
    (
        "Timezone",
        "Text",
        "A time zone by its name: `Europe/Amsterdam`.",
        _whole("[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"),
    ),
    ("PostalCode", "Text", "The postal code of an address.", _whole("[A-Za-z0-9][A-Za-z0-9 -]{1,11}")),
    ("MimeType", "Text", "The type of a content: `image/png`.", _whole(r"[^\s/;]+/[^\s/;]+(?:\s*;.*)?")),
    (
        "Colour",
        "Text",
        "A colour of the web: `#ff8800`.",
        _whole("#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})"),
    ),
    ("Count", "Integer", "How many there are of something.", {"minimum": 0}),
    ("Bytes", "Count", "A size in bytes.", {}),
    ("Year", "Integer", "A year.", {"minimum": -9999, "maximum": 9999}),
    ("UnixTime", "Integer", "Seconds since 1970.", {}),
    ("Money", "Decimal", "An amount of money; the currency is a column of its own.", {}),
    ("Price", "Money", "What one piece of something costs.", {"minimum": 0}),
    ("Percentage", "Float", "A share of a whole in percent.", {"minimum": 0, "maximum": 100}),
    ("Ratio", "Float", "A share of a whole as a fraction.", {"minimum": 0, "maximum": 1}),
    ("Probability", "Ratio", "How likely something is.", {}),
    ("Seconds", "Float", "How long something takes.", {"minimum": 0}),
    ("Latitude", "Float", "Degrees north of the equator.", {"minimum": -90, "maximum": 90}),
    ("Longitude", "Float", "Degrees east of Greenwich.", {"minimum": -180, "maximum": 180}),
    ("CreatedAt", "Moment", "When a thing came to be.", {}),
    ("UpdatedAt", "Moment", "When a thing last changed.", {}),
    ("Birthday", "Date", "The day on which a person was born.", {}),
    ("Embedding", "Json", "A list of numbers that stands for a text or an image.", {}),
)


def _make_types() -> dict[str, SemanticType]:
    made = {
        PREFIX + name: SemanticType(name=PREFIX + name, of=None, base=base, description=description)
        for name, base, description in _ROOTS
    }
    for name, of, description, rules in _KINDS:
        above = made[PREFIX + of]
        made[PREFIX + name] = SemanticType(
            name=PREFIX + name,
            of=above.name,
            base=above.base,
            description=description,
            # A type below has the narrower pattern and bounds, so that they stand for those above.
            rules={**above.rules, **rules},
        )
    return made


SEMANTIC_TYPES: Final[Mapping[str, SemanticType]] = MappingProxyType(_make_types())
"""All types of values by name, roots first."""

# A column that ends with an exclamation mark is never null.
_RECORDS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "Person",
        "Somebody: a customer, a contact, a user.",
        (
            "id!:Identifier name:PersonName email:Email phone:PhoneNumber organisation:OrganisationName "
            "language:Language timezone:Timezone created_at:CreatedAt"
        ),
    ),
    (
        "Organisation",
        "A company or another organisation.",
        (
            "id!:Identifier name!:OrganisationName website:Url email:Email phone:PhoneNumber country:Country "
            "created_at:CreatedAt"
        ),
    ),
    (
        "Address",
        "A place that post can reach.",
        (
            "line1!:Title line2:Title city!:Title region:Title postal_code:PostalCode country!:Country "
            "latitude:Latitude longitude:Longitude"
        ),
    ),
    (
        "Product",
        "Something that is sold.",
        "id!:Identifier title!:Title description:Markdown price:Price currency:Currency url:Url image:ImageUrl",
    ),
    (
        "Order",
        "What a customer orders.",
        (
            "id!:Identifier customer_id:Identifier email:Email total!:Money currency!:Currency status:Text "
            "items:Json created_at!:CreatedAt updated_at:UpdatedAt"
        ),
    ),
    (
        "Transaction",
        "Money that moves from one side to the other.",
        (
            "id!:Identifier amount!:Money currency!:Currency debtor:Text creditor:Text description:Text "
            "order_id:Identifier happened_at!:Moment"
        ),
    ),
    (
        "Message",
        "What somebody says to somebody, in a chat, by mail or to a model.",
        (
            "id!:Identifier channel:Text sender!:Text recipient:Text reply_to:Identifier subject:Title text!:Text "
            "sent_at!:Moment"
        ),
    ),
    (
        "Document",
        "A text that is searched or given to a model.",
        (
            "id!:Identifier title:Title text!:Text url:Url mime_type:MimeType language:Language "
            "embedding:Embedding updated_at:UpdatedAt"
        ),
    ),
    (
        "Event",
        "Something that happened.",
        "id!:Identifier type!:Text source:Text subject:Text happened_at!:Moment data:Json",
    ),
    (
        "WebhookDelivery",
        "A request that a webhook received.",
        (
            "id!:Identifier webhook!:Text method:Text path:Text address:IpAddress headers:Json body!:Json "
            "received_at!:Moment"
        ),
    ),
)


def _make_fields(columns: str) -> tuple[FieldSchema, ...]:
    made = []
    for column in columns.split():
        name, _, kind = column.partition(":")
        semantic = SEMANTIC_TYPES[PREFIX + kind]
        made.append(semantic_field(name.rstrip("!"), semantic, nullable=not name.endswith("!")))
    return tuple(made)


RECORD_TYPES: Final[Mapping[str, RecordType]] = MappingProxyType(
    {
        PREFIX + name: RecordType(name=PREFIX + name, description=description, fields=_make_fields(columns))
        for name, description, columns in _RECORDS
    }
)
"""All types of rows by name."""
