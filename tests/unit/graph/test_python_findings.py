import pytest

from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import EVERY_COLUMN

HEAD = 'from patterns import *\nt = Table("t")\nout = Table("out", "w")\n'


def analyse(source, **files):
    sources = Sources({f"{name}.py": text.encode() for name, text in files.items()})
    return analyse_python("main.py", (HEAD + source).encode(), sources)[0]


def flows(source, **files):
    """Give each flow in short: what is written, from what, how, and the type."""
    found = []
    for flow in analyse(source, **files).flows:
        made = " ".join(f"{source.table}.{source.column}" for source in flow.sources)
        told = flow.unknown.reason if flow.unknown else f"{flow.derivation}({made})"
        found.append(f"{flow.column} {told} {flow.type or '-'}")
    return found


def reads(source):
    return [(read.column, read.type, read.optional) for read in analyse(source).reads if read.table == "t"]


def observed(source, **files):
    return [f"{seen.kind} {seen.name}" for seen in analyse(source, **files).observations]


EACH = "for r in t.as_stream(): "


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EACH + "out.append(r)", ["* copied(t.*) -"]),
        (EACH + "out.append({'id': r['id']})", ["id copied(t.id) -"]),
        (EACH + "out.append({**r, 'x': 1})", ["* copied(t.*) -", "x constant() bigint"]),
        (EACH + "out.append({'x': 1, **r})", ["* copied(t.*) -", "x computed(t.x) -"]),
        (EACH + "out.append(r | {'x': 1.5})", ["* copied(t.*) -", "x constant() double"]),
        (EACH + "out.append(dict(r, x='a'))", ["* copied(t.*) -", "x constant() text"]),
        (EACH + "out.append(dict(id=r['id'], ok=True))", ["id copied(t.id) -", "ok constant() bool"]),
        (EACH + "out.append({'n': len(r['name'])})", ["n computed(t.name) bigint"]),
        (EACH + "out.append({'n': int(r['n']) + 1})", ["n computed(t.n) bigint"]),
        (EACH + "out.append({'n': int(r['n']) / 2})", ["n computed(t.n) double"]),
        (EACH + "out.append({'f': f'{r[\"a\"]}-{r[\"b\"]}'})", ["f computed(t.a t.b) text"]),
        (EACH + "out.append({'s': r['a'].strip().upper()})", ["s computed(t.a) text"]),
        (EACH + "out.append({'b': r['a'] > 3})", ["b computed(t.a) bool"]),
        (EACH + "out.append({'v': r['a']['b']})", ["v computed(t.a) -"]),
        (EACH + "out.append({'v': r['a'] or 'none'})", ["v computed(t.a) -"]),
        (EACH + "out.append({'v': {'a': r['a'], 'b': [r['b']]}})", ["v computed(t.a t.b) jsonb"]),
        (EACH + "out.append({'v': [1, 2]})", ["v constant() jsonb"]),
        (EACH + "out.append({'v': None})", ["v constant() -"]),
        (EACH + "out.append({'patterns_id': 1, 'v': b''})", ["v constant() bytea"]),
        (EACH + "out.append({k: r[k] for k in ('a', 'b')})", ["a copied(t.a) -", "b copied(t.b) -"]),
        (EACH + "out.append({k: v for k, v in r.items()})", ["* copied(t.*) -"]),
        (EACH + "out.append({k: str(v) for k, v in r.items()})", ["* computed(t.*) -"]),
        (
            EACH + "out.append({k: v for k, v in r.items() if k != 'x'})",
            ["* the names of the columns are known only at run time -"],
        ),
        (EACH + "out.append(outside(r))", ['* the result of "outside(…)" is known only at run time -']),
        (EACH + "out.append({'v': Model('m')(r['q'])})", ["v computed(t.q) -"]),
        (EACH + "out.append({'v': Parameter('p', type=int)})", ["v computed() bigint"]),
        (EACH + "out.append({'v': State().get_value('n')})", ["v computed() -"]),
        (
            EACH
            + "\n    row = {'a': r['a']}\n    row['b'] = r['b']\n    if r['c']: row['d'] = 1\n    out.append(row)",
            ["a copied(t.a) -", "b copied(t.b) -", "d constant() bigint"],
        ),
        (
            EACH
            + "\n    row = {'x': r['a']}\n    if r['b']: continue\n    row['x'] = 2\n    out.append(row)",
            ["x computed(t.a) -"],
        ),
        (EACH + "\n    r['x'] = r['y']\n    out.append(r)", ["x copied(t.y) -", "* copied(t.*) -"]),
        (EACH + "\n    e = r\n    e['x'] = 1\n    out.append(r)", ["x constant() bigint", "* copied(t.*) -"]),
        (EACH + "\n    r.pop('x')\n    out.append(r)", ['* "x" is taken out of the row -']),
        (EACH + "\n    del r['x']\n    out.append({'y': r['y']})", ["y copied(t.y) -"]),
        (
            "from lib import enrich\n" + EACH + "\n    enrich(r)\n    out.append(r)",
            ["* copied(t.*) -", '* the row is given to "enrich(…)", which may change it -'][1:],
        ),
        (EACH + "\n    print(r)\n    out.append(r)", ["* copied(t.*) -"]),
        ("out.replace([{'id': r['id']} for r in t.read()])", ["id copied(t.id) -"]),
        ("out.append(t.read())", ["* copied(t.*) -"]),
        (
            "for b in t.as_stream().batches(9): out.append([{'id': r['id']} for r in b])",
            ["id copied(t.id) -"],
        ),
        ("for r in t.as_stream().consume_records(): out.append({'id': r['id']})", ["id copied(t.id) -"]),
        ("rows = []\n" + EACH + "rows.append({'id': r['id']})\nout.append(rows)", ["id copied(t.id) -"]),
        ("def g():\n    for r in t.read(): yield {'id': r['id']}\nout.append(g())", ["id copied(t.id) -"]),
        ("def f(r): return {'id': r['id']}\nout.append([f(r) for r in t.read()])", ["id copied(t.id) -"]),
        (
            "def f(r): r['x'] = 1\n" + EACH + "\n    f(r)\n    out.append(r)",
            ["x constant() bigint", "* copied(t.*) -"],
        ),
        (
            "last = None\n" + EACH + "\n    out.append({'last': last})\n    last = r['a']",
            ["last copied(t.a) -"],
        ),
        ("n = 0\n" + EACH + "n += r['x']\nout.append({'n': n})", ["n computed(t.x) -"]),
        ("n = 0\n" + EACH + "n += 1\nout.append({'n': n})", ["n computed() bigint"]),
        (
            "names = {c['id']: c['name'] for c in Table('c').read()}\n"
            + EACH
            + "out.append({'n': names.get(r['c'])})",
            ["n computed(c.name) -"],
        ),
        ("import json\n" + EACH + "out.append({'j': json.loads(r['b'])})", ["j computed(t.b) -"]),
        ("import json\n" + EACH + "out.append({'j': json.dumps(r)})", ["j computed(t.*) text"]),
        (
            "import requests\nout.append(requests.get('u').json())",
            ['* the result of "json(…)" is known only at run time -'],
        ),
        ("import requests\nout.append({'x': requests.get('u').json()['x']})", ["x computed() -"]),
        (
            "from datetime import *\nout.append({'x': datetime.now(UTC), 'd': date.today()})",
            ["x computed() timestamptz", "d computed() date"],
        ),
        (
            "def f(r): out.append({'id': r['id']})",
            ['id "r"[…] is known only at run time -'],
        ),
        (
            "df = t.read_dataframe()\nout.append(df)",
            ["* the columns of a DataFrame are known only at run time -"],
        ),
        ("from lib import fill\nfill(out)", ['* the table is given to "fill(…)", which may write to it -']),
        (
            "from dataclasses import asdict, dataclass\n@dataclass\nclass R:\n    id: int\n"
            + EACH
            + "out.append(asdict(R(r['id'])))",
            ["id copied(t.id) -"],
        ),
    ],
)
def test_tells_where_columns_come_from(source, expected):
    assert flows(source) == expected


def test_a_written_table_that_is_only_emptied_has_no_flow():
    assert flows("out.truncate()") == []


def test_a_flow_of_a_module_of_the_app_has_its_own_place():
    analysis = analyse(
        "from base import make\nfor r in t.read(): out.append(make(r))",
        base="def make(r):\n    return {'id': r['id']}",
    )

    assert [(flow.column, str(flow.where)) for flow in analysis.flows] == [("id", "base.py:2:13")]


def test_a_script_that_is_too_long_to_follow_tells_no_columns():
    body = "".join(f"    x{i} = r['a'] + r['b']\n" for i in range(4000))
    analysis = analyse(f"for r in t.as_stream():\n{body}    out.append({{'x': x1}})\n")

    assert [(flow.column, flow.unknown.reason) for flow in analysis.flows] == [
        (EVERY_COLUMN, "the script has too many cases to follow")
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EACH + "r['a']", [("a", None, False)]),
        (EACH + "r.get('a')", [("a", None, True)]),
        (EACH + "'a' in r", [("a", None, True)]),
        (EACH + "r['a']['b']", [("a", "jsonb", False)]),
        (EACH + "r['a'].lower()", [("a", "text", False)]),
        (EACH + "r['a'] + 'x'", [("a", "text", False)]),
        (EACH + "r['a'].astimezone()", [("a", "timestamptz", False)]),
        (EACH + "r['a'] + 1", [("a", None, False)]),
        (EACH + "\n    if isinstance(r['a'], str): r['a'].lower()", [("a", None, False), ("a", None, True)]),
        (EACH + "\n    try: r['a'].lower()\n    except Exception: pass", [("a", None, True)]),
        (EACH + "r['record']['a']", [("record", "jsonb", True)]),
        (EACH + "\n    r['x'] = 1\n    r['x']", []),
        (EACH + "\n    match r:\n        case {'a': x}: print(x)", [("a", None, True)]),
        ("a = [r['a'] for r in t.read()]", [("a", None, False)]),
        ("a = sorted(t.read(), key=lambda r: r['a'])", [("a", None, False)]),
        (EACH + "\n    a, b = r['a'], r['b']", [("a", None, False), ("b", None, False)]),
    ],
)
def test_tells_which_columns_are_read(source, expected):
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import requests\nrequests.post('u')", ["effect requests.post"]),
        ("import requests as rq\nrq.Session().put('u')", ["effect requests.Session.put"]),
        ("from requests import delete as d\nd('u')", ["effect requests.delete"]),
        ("import requests\nrequests.get('u')\nrequests.request('GET', 'u')", []),
        ("import httpx\nhttpx.request('POST', 'u')", ["effect httpx.request"]),
        ("import httpx\nwith httpx.Client() as c: c.patch('u')", ["effect httpx.Client.patch"]),
        (
            "import aiohttp\nasync def f():\n    async with aiohttp.ClientSession() as s:\n        await s.post('u')",
            ["effect aiohttp.ClientSession.post"],
        ),
        ("import urllib.request as u\nu.urlopen('x')", []),
        (
            "import urllib.request as u\nu.urlopen(u.Request('x', data=b''))",
            ["effect urllib.request.urlopen"],
        ),
        ("import urllib.request as u\nu.urlopen(u.Request('x', data=b'', method='GET'))", []),
        (
            "import smtplib\nwith smtplib.SMTP('h') as s: s.send_message(m)",
            ["effect smtplib.SMTP.send_message"],
        ),
        (
            "from slack_sdk import WebClient\nWebClient().chat_postMessage()",
            ["effect slack_sdk.WebClient.chat_postMessage"],
        ),
        ("from slack_sdk import WebClient\nWebClient().conversations_history()", []),
        ("import boto3\nboto3.client('s3').put_object()", ["effect boto3.client.put_object"]),
        ("import boto3\nboto3.client('s3').get_object()", []),
        ("import boto3\nboto3.resource('s3').Object('a', 'b').put()", ["effect boto3.resource.Object.put"]),
        (
            "from twilio.rest import Client\nClient().messages.create()",
            ["effect twilio.rest.Client.messages.create"],
        ),
        ("import stripe\nstripe.Charge.create()\nstripe.Charge.list()", ["effect stripe.Charge.create"]),
        (
            "import os, shutil, subprocess\nos.remove('x')\nshutil.rmtree('x')\nsubprocess.run([])\nos.listdir()",
            ["effect os.remove", "effect shutil.rmtree", "effect subprocess.run"],
        ),
        (
            "import psycopg\nwith psycopg.connect() as c:\n    with c.cursor() as k: k.execute('x')",
            ["effect psycopg.connect.cursor.execute"],
        ),
        (
            "from pathlib import Path\nPath('x').write_text('y')\nPath('x').read_text()",
            ["effect pathlib.Path.write_text"],
        ),
        ("class C:\n    def post(self, u): pass\nC().post('u')\nunknown.post('u')", []),
        ("import requests\nonce('k', lambda: requests.post('u'))", []),
        ("import requests\ndef send(): return requests.post('u')\nonce('k', send)", []),
        (
            "import requests\ndef send(): return requests.post('u')\nonce('k', send)\nsend()",
            ["effect requests.post"],
        ),
        ("import requests\nfrom functools import partial\nonce('k', partial(requests.post, 'u'))", []),
        (
            "import requests\nfrom concurrent.futures import ThreadPoolExecutor as P\nP().submit(requests.post, 'u')",
            ["effect requests.post"],
        ),
        (
            "from datetime import datetime\ndatetime.now()\ndatetime.utcnow()",
            ["naive-datetime datetime.datetime.now", "naive-datetime datetime.datetime.utcnow"],
        ),
        ("import datetime as dt\ndt.datetime.now(dt.UTC)\ndt.datetime.now(tz=dt.timezone.utc)", []),
        ("import datetime\ndatetime.datetime(2020, 1, 1)", ["naive-datetime datetime.datetime"]),
        (
            "import datetime\ndatetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)\ndatetime.date(2020, 1, 1)",
            [],
        ),
        (
            "from datetime import datetime as d\nd.strptime('x', '%Y')",
            ["naive-datetime datetime.datetime.strptime"],
        ),
        ("from datetime import datetime as d\nd.strptime('x', '%Y%z')", []),
        ("from datetime import *\ndatetime.strptime('x', '%Y').replace(tzinfo=UTC)", []),
        (
            "from datetime import datetime as d\nd.fromtimestamp(1)",
            ["naive-datetime datetime.datetime.fromtimestamp"],
        ),
        ("out.append({})\nout.read()", ["read-after-write out"]),
        ("out.read()\nout.append({})", []),
        ("out.append({})\nt.read()", []),
        (EACH + "\n    out.read()\n    out.append(r)", ["read-after-write out"]),
        ("if t.exists: out.append({})\nelse: out.read()", []),
        ("def f(): out.append({})\nf()\nout.record_count", ["read-after-write out"]),
    ],
)
def test_observes_effects_moments_and_reads_of_own_rows(source, expected):
    assert observed(source) == expected
