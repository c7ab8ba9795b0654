"""What a person types leads to one version of one template, or to an error that says what there is."""

import pytest

from patterns_os.errors import UsageError
from patterns_os.registry.index import Index
from patterns_os.registry.resolve import resolve

INDEX = Index.model_validate(
    {
        "templates": [
            {
                "name": "patterns/slack-bot",
                "versions": ["v0"],
                "kind": "app",
                "title": "Bot",
                "description": "Answers messages",
            },
            {
                "name": "patterns/slack-post",
                "versions": ["v0", "v10", "v9"],
                "kind": "script",
                "title": "Post",
                "description": "Posts messages",
                "tags": ["action"],
            },
        ]
    }
)


def test_a_pinned_version_is_kept():
    found = resolve(INDEX, "patterns/slack-post@v9")

    assert (found.reference, found.was_pinned) == ("patterns/slack-post@v9", True)


def test_without_a_version_the_highest_number_is_the_newest():
    found = resolve(INDEX, "patterns/slack-post", "script")

    assert (found.reference, found.was_pinned) == ("patterns/slack-post@v10", False)


@pytest.mark.parametrize(
    ("typed", "kind", "message"),
    [
        pytest.param(
            "patterns/slack-pots@v0",
            None,
            'error[unknown-template] there is no template "patterns/slack-pots"; known templates: '
            '"patterns/slack-post", "patterns/slack-bot"\n'
            '  hint: did you mean "patterns/slack-post"?',
            id="misspelt",
        ),
        pytest.param(
            "slack-post",
            "script",
            'error[unknown-template] there is no template "slack-post"; known templates: '
            '"patterns/slack-post"\n'
            '  hint: did you mean "patterns/slack-post"?',
            id="without its vendor",
        ),
        pytest.param(
            "weather",
            "app",
            'error[unknown-template] there is no template "weather"; known templates: "patterns/slack-bot"\n'
            "  hint: `patterns search` lists them all",
            id="nothing near",
        ),
        pytest.param(
            "patterns/slack-post@v1",
            "script",
            'error[unknown-version] template "patterns/slack-post" has no version "v1"; '
            'known versions: "v0", "v9", "v10"\n'
            '  hint: did you mean "v10"?',
            id="unknown version",
        ),
        pytest.param(
            "patterns/slack-post@",
            "script",
            'error[unknown-version] template "patterns/slack-post" has no version ""; '
            'known versions: "v0", "v9", "v10"\n'
            '  hint: leave it out for the newest, "v10"',
            id="empty version",
        ),
        pytest.param(
            "patterns/slack-bot",
            "script",
            'error[template-kind] template "patterns/slack-bot" is a whole app, expected one for a script\n'
            "  hint: patterns create app NAME --from-template=patterns/slack-bot",
            id="an app for a script",
        ),
        pytest.param(
            "patterns/slack-post",
            "app",
            'error[template-kind] template "patterns/slack-post" is for a script, expected one for an app\n'
            "  hint: create the app, then in it: patterns add script --from-template=patterns/slack-post",
            id="a script for an app",
        ),
    ],
)
def test_what_leads_nowhere_is_explained(typed, kind, message):
    with pytest.raises(UsageError) as caught:
        resolve(INDEX, typed, kind)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["patterns/slack-post", "patterns/slack-bot"]),
        (["SLACK", "bot"], ["patterns/slack-bot"]),
        (["action"], ["patterns/slack-post"]),
        (["slack", "weather"], []),
    ],
)
def test_a_search_finds_what_mentions_every_word(words, names):
    assert [entry.name for entry in INDEX.search(words)] == names
