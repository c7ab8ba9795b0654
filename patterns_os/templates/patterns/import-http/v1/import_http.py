"""Fetch records from an address and append those that are new to "records".

With `cursor_field`, only records beyond the highest value so far are new; the value is kept with the rows, in one
transaction, so that a run that fails loses and repeats nothing.
"""

import csv
import io
import json
import urllib.parse
import urllib.request
from typing import Any

from patterns import Parameter, State, Table

records = Table("records", "w")
state = State()

url = Parameter("url", "Address that answers with records")
form = Parameter("format", "json, jsonl or csv; by the answer's type if empty", default="")
records_at = Parameter("records_at", "Keys that lead to the records in JSON, with dots", default="")
cursor_field = Parameter("cursor_field", "Column that only grows, such as an id or a time", default="")
cursor_parameter = Parameter("cursor_parameter", "Part of the query that gets the cursor", default="")
unique_on = Parameter("unique_on", "Columns that tell records apart: known ones change", type=list, default=[])
next_at = Parameter("next_at", "Keys that lead to the next page's address in JSON", default="")
headers = Parameter("headers", "Headers to send, by name", type=dict, default={})


def address(cursor: Any) -> str:
    """Give the address to begin with."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f'the parameter "url" is "{url}", expected an address with http:// or https://')
    if not cursor_parameter or cursor is None:
        return str(url)
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.urlencode([*urllib.parse.parse_qsl(parts.query), (cursor_parameter, cursor)])
    return str(urllib.parse.urlunsplit(parts._replace(query=query)))


def fetch(place: str) -> tuple[str, str]:
    """Give the text at an address, and what kind it is."""
    sent = {"accept": "application/json, text/csv", "user-agent": "patterns-os", **headers}
    with urllib.request.urlopen(urllib.request.Request(place, headers=sent), timeout=60) as response:
        kind = response.headers.get_content_type()
        text = response.read().decode(response.headers.get_content_charset() or "utf-8-sig")
    known = {"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}
    return text, form or known.get(kind, "json")


def found_at(value: Any, path: str) -> Any:
    """Follow keys into JSON; `None` where there is nothing."""
    for key in filter(None, path.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def read(text: str, kind: str) -> tuple[list[Any], Any]:
    """Give the records of a page, and the address of the next one."""
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(text))), None
    if kind == "jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()], None
    page = json.loads(text)
    found = found_at(page, records_at)
    listed = found if isinstance(found, list) else [] if found is None else [found]
    return listed, found_at(page, next_at) if next_at else None


def order(value: Any) -> tuple[int, int, str]:
    """Compare texts of digits as numbers: CSV knows no others."""
    return (0, int(value), "") if str(value).lstrip("-").isdigit() else (1, 0, str(value))


before = state.get_value("cursor")
highest = before
place: str | None = address(before)
seen: set[str] = set()
while place and place not in seen:
    seen.add(place)
    page, following = read(*fetch(place))
    for record in page:
        row = record if isinstance(record, dict) else {"value": record}
        if cursor_field:
            value = row.get(cursor_field)
            if value is None or (before is not None and order(value) <= order(before)):
                continue
            if highest is None or order(value) > order(highest):
                highest = value
        if unique_on:
            records.init(unique_on=unique_on)
            records.upsert(row)
        else:
            records.append(row)
    place = urllib.parse.urljoin(place, following) if isinstance(following, str) else None

if highest != before:
    state.set_value("cursor", highest)
