"""Fetch the stories on the front page; a story that is known gets its new points."""

import json
import urllib.request

from patterns import Parameter, Table

stories = Table("stories", "w")
url = Parameter("url", "Address that lists the stories")

request = urllib.request.Request(url, headers={"accept": "application/json", "user-agent": "patterns-os"})
with urllib.request.urlopen(request, timeout=60) as response:
    hits = json.load(response)["hits"]

stories.upsert(
    [
        {
            "id": hit["objectID"],
            "title": hit["title"],
            "url": hit.get("url") or f"https://news.ycombinator.com/item?id={hit['objectID']}",
            "points": hit.get("points") or 0,
        }
        for hit in hits
    ]
)
