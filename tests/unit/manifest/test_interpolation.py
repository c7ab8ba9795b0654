from patterns_os.manifest.interpolation import fill, placeholders, secret_behind

SECRETS = {"token": "s3", "CONNECTION_MY_AI": '{"api_key": "k"}', "CONNECTION_SLACK": "xoxb"}


def test_names_are_found_wherever_texts_are():
    value = {"a": "${{ token }} and ${{connection.my-ai}}", "b": ["${{ x }}", 1], "c": "$ { token }"}

    assert list(placeholders(value)) == ["token", "connection.my-ai", "x"]
    assert [secret_behind(name) for name in placeholders(value)] == ["token", "CONNECTION_MY_AI", "x"]


def test_values_are_filled_in_texts_lists_and_objects():
    value = {"url": "https://x/?t=${{ token }}", "all": ["${{ token }}", 1, None]}

    assert fill(value, SECRETS.__getitem__) == {"url": "https://x/?t=s3", "all": ["s3", 1, None]}


def test_a_connection_alone_is_its_keys():
    assert fill("${{ connection.my-ai }}", SECRETS.__getitem__) == {"api_key": "k"}
    assert fill("${{ connection.slack }}", SECRETS.__getitem__) == {
        "api_key": "xoxb",
        "token": "xoxb",
        "access_token": "xoxb",
    }
