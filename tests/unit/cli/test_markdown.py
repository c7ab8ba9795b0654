from patterns_os.cli.markdown import render_markdown


def test_paragraphs_are_filled_and_code_keeps_its_lines():
    page = (
        "# a-code\n\nSome `words` that are\nlonger than a [line](../x.md).\n\n"
        "```python a.py\nx = 1\n\n# no heading\n```\n\n```text\nas it is\n```\n"
    )

    assert render_markdown(page, 30) == (
        "a-code\n\n"
        "Some words that are longer\nthan a line.\n\n"
        "    a.py\n    x = 1\n\n    # no heading\n\n"
        "    as it is"
    )
