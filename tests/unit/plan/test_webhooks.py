import json

from patterns_os.graph.build import build_graph
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_manifest
from patterns_os.plan.build import build_plan
from patterns_os.plan.differences import webhook_details
from patterns_os.plan.spec import PlannedWebhook


def planned(**webhook):
    manifest = {"name": "app", "webhooks": [{"title": "Hook", "table": "rows", **webhook}]}
    graph, _ = build_graph(parse_manifest(json.dumps(manifest).encode()), Sources({}), None)
    plan, _ = build_plan(graph, None, lambda *_: None)
    (hook,) = plan.webhooks
    return hook


def details(**changes):
    before = PlannedWebhook(name="Hook", title="Hook", path="/hook", table="rows")
    return [(one.why, one.text) for one in webhook_details(before, before.model_copy(update=changes))]


def test_a_plain_webhook_takes_a_megabyte_and_any_rate():
    hook = planned()

    assert (hook.dedupe, hook.max_body_bytes, hook.rate) == (None, 1_048_576, None)


def test_what_the_manifest_says_is_planned():
    verify = {"preset": "stripe", "secret": "NEW", "previous": ["OLD"]}
    hook = planned(verify=verify, dedupe={"pointer": "/id"}, limits={"body": "2MB", "rate": "5/s"})

    assert hook.verify == verify
    assert (hook.dedupe, hook.max_body_bytes, hook.rate) == ({"pointer": "/id"}, 2_097_152, "5/s")


def test_what_changes_is_told():
    assert details(dedupe="body") == [("dedupe", "what tells that a delivery came before")]
    assert details(rate="5/s") == [("limit", 'rate: none → "5/s"')]
    assert details(max_body_bytes=5) == [("limit", "max_body_bytes: 1048576 → 5")]
    assert details() == []
