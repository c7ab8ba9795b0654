"""A template enters a manifest without disturbing it, or says what is in its way."""

import pytest

from patterns_os.errors import CompileError, UsageError
from patterns_os.manifest.parse import parse_manifest
from patterns_os.registry.install import install
from patterns_os.registry.template import Template

COMPLETION = Template(
    reference="patterns/openai-completion@v0",
    additions={
        "scripts": ({"file": "complete.py", "uses": "patterns/openai-completion@v0"},),
        "stores": ({"table": "prompts"}, {"table": "completions"}),
        "models": ({"name": "base-llm", "type": "chat"},),
    },
    files={"complete.py": b"pass\n"},
)
RECEIVE = Template(
    reference="patterns/slack-receive-messages@v0",
    additions={"webhooks": ({"title": "Slack messages", "path": "/slack", "table": "slack_messages"},)},
    files={},
)


def test_comments_and_layout_stay_and_what_is_there_is_shared():
    manifest = b"""{
    "name": "a", // mine
    "stores": [
        {"table": "prompts", "unique_on": ["id"]}, /* keep */
    ],
    "scripts": [{"file": "a.py"},]
}
"""

    done = install(manifest, COMPLETION)

    assert done.present is None
    assert done.files == {"complete.py": b"pass\n"}
    assert list(done.added) == ["scripts", "stores", "models"]
    assert (
        done.manifest.decode()
        == """{
    "name": "a", // mine
    "stores": [
        {"table": "prompts", "unique_on": ["id"]}, /* keep */
        {"table": "completions"},
    ],
    "scripts": [{"file": "a.py"}, {"file": "complete.py", "uses": "patterns/openai-completion@v0"},],
    "models": [
        {
            "name": "base-llm",
            "type": "chat"
        }
    ]
}
"""
    )


@pytest.mark.parametrize("template", [COMPLETION, RECEIVE])
def test_a_second_time_changes_nothing(template):
    once = install(b'{"name": "a"}', template).manifest

    again = install(once, template)

    assert (again.manifest, again.files, again.added) == (once, {}, {})
    assert again.present in {'node "complete"', 'webhook "Slack messages"'}


def test_under_another_name_it_enters_a_second_time():
    once = install(b'{"name": "a"}', COMPLETION).manifest

    again = install(once, COMPLETION, file="more.py", trigger="@daily")

    scripts = parse_manifest(again.manifest).spec.scripts
    assert [(script.node_name, script.trigger) for script in scripts] == [
        ("complete", None),
        ("more", "@daily"),
    ]
    assert again.files == {"more.py": b"pass\n"}
    assert list(again.added) == ["scripts"]


@pytest.mark.parametrize(
    ("manifest", "template", "message"),
    [
        pytest.param(
            b'{"name": "a", "scripts": [{"file": "Complete.py"}]}',
            COMPLETION,
            'error[template-clash] template "patterns/openai-completion@v0" adds script "complete.py", '
            'and manifest.json has script "Complete.py" already\n'
            "  hint: name another file: patterns add script OTHER.py --from-template=…",
            id="file",
        ),
        pytest.param(
            b'{"name": "a", "scripts": [{"file": "sub/complete.py"}]}',
            COMPLETION,
            'error[template-clash] template "patterns/openai-completion@v0" adds node "complete", '
            'and manifest.json has script "sub/complete.py" already\n'
            "  hint: name the node with --name",
            id="node",
        ),
        pytest.param(
            b'{"name": "a", "models": [{"name": "base-llm", "type": "text-to-image"}]}',
            COMPLETION,
            'error[template-clash] template "patterns/openai-completion@v0" adds model "base-llm" of type '
            '"chat", and manifest.json has model "base-llm" of type "text-to-image" already\n'
            "  hint: rename that one in manifest.json",
            id="model",
        ),
        pytest.param(
            b'{"name": "a", "webhooks": [{"title": "Slack messages", "table": "other"}]}',
            RECEIVE,
            'error[template-clash] template "patterns/slack-receive-messages@v0" adds webhook '
            '"Slack messages", and manifest.json has webhook "Slack messages" already\n'
            "  hint: rename that one in manifest.json",
            id="webhook title",
        ),
        pytest.param(
            b'{"name": "a", "webhooks": [{"title": "Mine", "path": "/slack", "table": "other"}]}',
            RECEIVE,
            'error[template-clash] template "patterns/slack-receive-messages@v0" adds a webhook at "/slack", '
            'and manifest.json has webhook "Mine" already\n'
            '  hint: give that one another "path"',
            id="webhook path",
        ),
    ],
)
def test_a_name_that_is_taken_is_told_with_both_sides(manifest, template, message):
    with pytest.raises(UsageError) as caught:
        install(manifest, template)

    assert str(caught.value) == message


def test_a_text_model_of_either_type_serves():
    manifest = b'{"name": "a", "models": [{"name": "base-llm", "type": "next-token-text"}]}'

    assert "models" not in install(manifest, COMPLETION).added


def test_a_template_without_a_script_can_not_rename_it():
    with pytest.raises(UsageError) as caught:
        install(b'{"name": "a"}', RECEIVE, file="x.py")

    assert str(caught.value) == (
        'error[template-script] template "patterns/slack-receive-messages@v0" adds no scripts, so that '
        '"file" can\'t be chosen\n  hint: leave them out'
    )


def test_mistakes_of_the_manifest_come_first():
    with pytest.raises(CompileError):
        install(b'{"name": "a", "scripts": [', COMPLETION)
