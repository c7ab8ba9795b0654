"""The files of a new app, as texts."""

import json
from typing import Final

from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.schema import CONFIGURATION_SCHEMA_URL, MANIFEST_SCHEMA_URL
from patterns_os.manifest.values import slug

_LONGEST: Final = 63


def app_name(text: str) -> str:
    """Give the name of an app as a manifest may have it: `my-app` for `My App`, `my_app` as it is.

    Raises:
        UsageError: The text has no letter or digit of ASCII, or too many characters.
    """
    # Underscores are kept: a folder named for a Python package keeps its name.
    name = "_".join(filter(None, (slug(part, "-") for part in text.split("_"))))
    if not name or len(name) > _LONGEST:
        message = f"{quote(text)} is not a name of an app, expected 1 to {_LONGEST} letters, digits, - and _"
        raise UsageError(message, code="bad-name", hint="try a short name like my-app")
    return name


def app_title(name: str) -> str:
    """Give a title for people: `Quick start` for `quick-start`."""
    words = name.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def starter_files(name: str) -> dict[str, str]:
    """Give the files of a new app by their names, for a name that `app_name` gave."""
    return {
        "manifest.json": _json(
            {
                "$schema": MANIFEST_SCHEMA_URL,
                "name": name,
                "title": app_title(name),
                "version": "0.1.0",
                "scripts": [],
                "stores": [],
            }
        ),
        "patterns.json": _json(
            {
                "$schema": CONFIGURATION_SCHEMA_URL,
                "storages": [],
                "models": [],
                "deployment": {"engine": "local", "target": "local"},
            }
        ),
        "readme.md": _README.format(title=app_title(name)),
        ".gitignore": ".patterns/\n.env\n__pycache__/\n",
    }


def _json(data: dict[str, object]) -> str:
    return json.dumps(data, indent=2) + "\n"


_README: Final = """\
# {title}

What this app does, in a sentence.

## Run it

```sh
patterns dev
```

`manifest.json` lists the scripts, tables, models and webhooks; `patterns.json` says where they run. Secrets
are stored with `patterns secret set NAME`, or kept in `.env` on your machine.
"""
