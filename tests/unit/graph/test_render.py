import json
from xml.etree import ElementTree as ET

import pytest

from patterns_os.graph.build import build_graph
from patterns_os.graph.render import render_json, render_mermaid, render_svg, render_terminal
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_manifest

IMPORT = "from patterns import *\n"


def build(manifest, files):
    sources = Sources({name: text.encode() for name, text in files.items()})
    graph, _ = build_graph(parse_manifest(json.dumps(manifest).encode()), sources, None)
    return graph


@pytest.fixture
def quick_start():
    return build(
        {
            "name": "quick-start",
            "scripts": [{"file": "my_py.py"}],
            "webhooks": [{"title": "Slack messages", "table": "slack_messages"}],
        },
        {
            "my_py.py": f"{IMPORT}for r in Table('slack_messages').as_stream(): "
            "Table('completions', 'w').append(r)"
        },
    )


@pytest.fixture
def shop():
    return build(
        {
            "name": "shop",
            "scripts": [
                {"file": "clean.py"},
                {"file": "join.py"},
                {"file": "fetch.py", "trigger": "@daily"},
                {"file": "report.sql", "outputs": ["report"]},
                {"file": "ask.py", "trigger": "manual"},
            ],
            "webhooks": [{"title": 'Orders & "more" <b>', "table": "orders"}],
            "stores": [{"table": "customers"}, {"file": "out.csv"}],
        },
        {
            "clean.py": f"{IMPORT}for r in Table('orders').as_stream(): Table('good', 'w').append(r)",
            "join.py": f"{IMPORT}Table('good').as_stream()\nTable('customers').read()\n"
            "Table('joined', 'w').append(1)\nTable(input())",
            "fetch.py": f"{IMPORT}Table('news', 'w')",
            "report.sql": "select * from joined, news",
            "ask.py": f"{IMPORT}File('out.csv').write('')",
        },
    )


def test_the_quick_start_in_the_terminal(quick_start):
    assert render_terminal(quick_start, 80).splitlines() == [
        "quick-start",
        "",
        "● Slack messages            webhook   POST /slack-messages",
        "╰─▶ ▤ slack_messages        table",
        "    ╰─▶ ● my_py             python    my_py.py",
        "        ╰─▶ ▤ completions   table",
    ]


def test_a_node_stands_below_what_triggers_it_and_is_named_below_the_rest(shop):
    assert render_terminal(shop, 100).splitlines() == [
        "shop",
        "",
        '● Orders & "more" <b>                  webhook   POST /orders-more-b',
        "╰─▶ ▤ orders                           table",
        "    ╰─▶ ● clean                        python    clean.py",
        "        ╰─▶ ▤ good                     table",
        "            ╰─▶ ● join                 python    join.py · opens tables that its code does not tell",
        "                ╰─▶ ▤ joined           table",
        "                    ╰─▶ ● report       sql       report.sql",
        "                        ╰─▶ ▤ report   table",
        "● ask                                  python    ask.py · when asked",
        "╰─▶ ▢ out.csv                          file",
        "● fetch                                python    fetch.py · cron @daily",
        "╰─▶ ▤ news                             table",
        "    ╰─▶ ● report …",
        "▤ customers                            table",
        "╰┈▷ ● join …",
    ]


def test_lines_fit_the_width(shop):
    lines = render_terminal(shop, 40).splitlines()

    assert max(len(line) for line in lines) <= 40


def test_an_empty_app_says_so():
    assert render_terminal(build({"name": "empty"}, {})) == "empty is empty"


def test_a_long_chain_goes_on_at_the_left():
    names = [f"s{index}" for index in range(9)]
    files = {
        f"{name}.py": f"{IMPORT}Table('t{index}').as_stream()\nTable('t{index + 1}', 'w')"
        for index, name in enumerate(names)
    }
    graph = build(
        {"name": "chain", "scripts": [{"file": file} for file in files], "stores": [{"table": "t0"}]}, files
    )
    lines = render_terminal(graph, 80).splitlines()

    assert max(len(line) for line in lines) <= 80
    assert "                        ╰─▶ ● s3 …" in lines
    assert any(line.startswith("● s3 ") for line in lines)
    assert sum(name in line for line in lines for name in ["● s8"]) == 1


def test_a_circle_is_drawn_once():
    files = {
        "a.py": f"{IMPORT}Table('u').as_stream()\nTable('t', 'w')",
        "b.py": f"{IMPORT}Table('t').as_stream()\nTable('u', 'w')",
    }
    graph = build({"name": "circle", "scripts": [{"file": file} for file in files]}, files)

    assert render_terminal(graph, 80).splitlines() == [
        "circle",
        "",
        "● a                     python   a.py",
        "╰─▶ ▤ t                 table",
        "    ╰─▶ ● b             python   b.py",
        "        ╰─▶ ▤ u         table",
        "            ╰─▶ ● a …",
    ]


def test_the_quick_start_in_mermaid(quick_start):
    assert render_mermaid(quick_start) == (
        "flowchart LR\n"
        '  v0(["Slack messages"])\n'
        '  v1["my_py"]\n'
        '  v2[("completions")]\n'
        '  v3[("slack_messages")]\n'
        "  v0 --> v3\n"
        "  v1 --> v2\n"
        "  v3 --> v1\n"
    )


def test_mermaid_names_are_escaped_and_look_ups_are_dotted(shop):
    text = render_mermaid(shop)

    assert '(["Orders #38; #34;more#34; #60;b#62;"])' in text
    assert text.count("-.->") == 1


def test_data_of_the_quick_start(quick_start):
    data = render_json(quick_start)

    assert json.loads(json.dumps(data)) == data
    assert data["app"] == "quick-start"
    assert data["order"] == ["Slack messages", "my_py"]
    assert [(node["name"], node["kind"], node["triggered_by"]) for node in data["nodes"]] == [
        ("Slack messages", "webhook", []),
        ("my_py", "python", ["slack_messages"]),
    ]
    assert data["edges"][1] == {
        "node": "my_py",
        "store": "completions",
        "port": "completions",
        "kind": "table",
        "access": "write",
        "origin": "inferred",
        "file": "my_py.py",
        "line": 2,
    }


def test_svg_is_xml_with_every_vertex_and_arrow(shop):
    root = ET.fromstring(render_svg(shop))
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]

    assert 'webhook Orders & "more" <b>' in titles
    assert {"python clean", "sql report", "table good", "file out.csv"} <= set(titles)
    assert len([element for element in root.iter() if element.get("marker-end")]) == 11


def test_svg_boxes_do_not_overlap(shop):
    root = ET.fromstring(render_svg(shop))
    boxes = [
        tuple(int(element.get(key)) for key in ("x", "y", "width", "height"))
        for element in root.iter("{http://www.w3.org/2000/svg}rect")
    ]

    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            apart = x + width <= other_x or other_x + other_width <= x
            assert apart or y + height <= other_y or other_y + other_height <= y


def test_svg_of_an_empty_app_is_xml():
    ET.fromstring(render_svg(build({"name": "empty"}, {})))


def test_names_with_control_characters_stay_on_their_line():
    graph = build(
        {"name": "odd", "scripts": [{"file": "a.py"}]}, {"a.py": f"{IMPORT}Table('x\\n\\x1b[31m', 'w')"}
    )

    assert len(render_terminal(graph, 80).splitlines()) == 4
    assert "\x1b" not in render_terminal(graph, 80)
    ET.fromstring(render_svg(graph))
