"""What holds for every app: order and layout mean nothing, and no text makes the compiler fall over."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.render import render_json, render_mermaid, render_svg, render_terminal
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_manifest
from patterns_os.plan.compile import compile_app
from patterns_os.triggers.cron import parse_cron

TABLES = [f"t{number}" for number in range(6)]
CRONS = ["@daily", "*/5 * * * *", {"cron": "0 9 * * 1", "timezone": "Europe/Berlin"}, "manual"]
TYPES = ["integer", "text", "number NotNull", "timestamptz", "common.Email", "json"]


@st.composite
def apps(draw):
    """Give a manifest and files that go well together: every valid key turns up sooner or later."""
    files, scripts = {}, []
    for number in range(draw(st.integers(0, 5))):
        read, written = draw(st.sampled_from(TABLES)), f"out{number}"
        kind = draw(st.sampled_from(["stream", "read", "sql"]))
        script = {"file": f"n{number}.{'sql' if kind == 'sql' else 'py'}"}
        if kind == "sql":
            files[script["file"]] = f'select id from {{{{ Table("{read}") }}}}'
            script["outputs"] = [written]
        else:
            rows = f'Table("{read}").{"as_stream" if kind == "stream" else "read"}()'
            files[script["file"]] = (
                f'from patterns import Table\nout = Table("{written}", "w")\n'
                f'for row in {rows}:\n    out.append({{"id": row["id"]}})\n'
            )
        extras = {
            "title": st.text("abc ü", min_size=1, max_size=5),
            "trigger": st.sampled_from(CRONS),
            "retries": st.integers(0, 9),
            "timeout": st.sampled_from(["10m", 30, "1h"]),
            "on_error": st.sampled_from(["hold", "stop"]),
            "isolation": st.sampled_from(["warm", "run"]),
        }
        for key in draw(st.lists(st.sampled_from(sorted(extras)), unique=True, max_size=3)):
            script[key] = draw(extras[key])
        scripts.append(script)
    stores = [{"table": table} for table in TABLES]
    for store in stores:
        if draw(st.booleans()):
            store["schema"] = {"id": draw(st.sampled_from(TYPES)), "note": "text"}
    webhooks = [{"title": f"hook {number}", "table": "t0"} for number in range(draw(st.integers(0, 2)))]
    manifest = {"name": "app", "scripts": scripts, "stores": stores, "webhooks": webhooks}
    return manifest, files


def compiled(manifest, files):
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    sources = {path: content.encode() for path, content in files.items()}
    return compile_app(Sources({**sources, "manifest.json": text}), parse_cron=parse_cron)


def without_places(found):
    data = found.graph and render_json(found.graph)
    for edge in (data or {"edges": ()})["edges"]:
        edge.pop("line")
    return data


@given(app=apps(), seed=st.integers(0, 1000))
def test_the_order_of_declarations_means_nothing(app, seed):
    manifest, files = app
    shuffled = {key: manifest[key] for key in random.Random(seed).sample(list(manifest), len(manifest))}
    for key in ("scripts", "stores", "webhooks"):
        entries = [dict(random.Random(seed).sample(list(e.items()), len(e))) for e in manifest[key]]
        shuffled[key] = random.Random(seed).sample(entries, len(entries))
    one, other = compiled(manifest, files), compiled(shuffled, files)
    assert without_places(one) == without_places(other)
    assert (one.plan and one.plan.to_bytes()) == (other.plan and other.plan.to_bytes())
    assert sorted(f.message for f in one.diagnostics) == sorted(f.message for f in other.diagnostics)


@given(app=apps(), indent=st.sampled_from([None, 1, 7]), ascii_only=st.booleans())
def test_the_layout_of_a_manifest_means_nothing(app, indent, ascii_only):
    manifest, files = app
    text = json.dumps(manifest, indent=indent, ensure_ascii=ascii_only).replace(
        '"scripts"', '/* c */ "scripts"'
    )
    one, other = compiled(manifest, files), compiled(text.encode(), files)
    assert (one.plan and one.plan.version_hash) == (other.plan and other.plan.version_hash)


@given(app=apps())
def test_a_valid_manifest_comes_back_as_it_was(app):
    manifest, _ = app
    parsed = parse_manifest(json.dumps(manifest).encode())
    assert parsed.is_good
    again = parse_manifest(json.dumps(parsed.spec.to_data()).encode())
    assert (again.spec, again.diagnostics) == (parsed.spec, ())


@given(app=apps(), data=st.data())
def test_a_mutated_app_gives_findings_and_never_an_exception(app, data):
    manifest, files = app
    text = bytearray(json.dumps(manifest, indent=1).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        kind = data.draw(st.sampled_from(["cut", "put", "drop"]))
        if kind == "put":
            text[at:at] = data.draw(
                st.sampled_from([b'"', b"{", b"]", b",", b"\\", b"\xff", b"null", b"0", b"\n"])
            )
        else:
            del text[at : at + (1 if kind == "drop" else data.draw(st.integers(1, 30)))]
        text = text or bytearray(b" ")
    found = compiled(bytes(text), files)
    assert all(isinstance(entry, Diagnostic) and entry.message for entry in found.diagnostics)
    assert found.is_good or found.diagnostics
    if found.graph is not None:
        for draw in (render_terminal, render_mermaid, render_svg, render_json):
            draw(found.graph)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "scripts",
                        "file",
                        "stores",
                        "table",
                        "schema",
                        "webhooks",
                        "charts",
                        "exposes",
                        "inputs",
                        "trigger",
                        "uses",
                        "x",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_manifest_with_findings_at_worst(value):
    found = compiled(json.dumps(value).encode(), {})
    assert found.is_good or found.diagnostics


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff\xfe", b"{}" * 1000])
def test_a_manifest_that_is_none_is_told_so(text):
    found = compiled(text, {})
    assert not found.is_good
    assert found.diagnostics
