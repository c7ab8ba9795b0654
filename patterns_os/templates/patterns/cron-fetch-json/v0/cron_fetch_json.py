"""Fetch JSON from an address and append its records to "fetched_records"."""

import json
import urllib.request

from patterns import Parameter, Table

fetched_records = Table("fetched_records", "w")

url = Parameter("url", "Address that answers with JSON")
records_at = Parameter("records_at", "Keys that lead to the records, with dots; empty for the whole", default="")

if not url.startswith(("http://", "https://")):
    raise ValueError(f'the parameter "url" is "{url}", expected an address with http:// or https://')

request = urllib.request.Request(url, headers={"accept": "application/json", "user-agent": "patterns-os"})
with urllib.request.urlopen(request, timeout=60) as response:
    records = json.load(response)

for key in filter(None, records_at.split(".")):
    records = records[key]

# One object is one record; what is no object (a list of numbers, say) goes into a column "value".
for record in records if isinstance(records, list) else [records]:
    fetched_records.append(record if isinstance(record, dict) else {"value": record})
