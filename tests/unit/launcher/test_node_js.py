"""Which Node.js can run scripts."""

import pytest

from patterns_os.launcher.node_js import is_new_enough


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ("20.20.2", False),
        ("22.17.1", False),
        ("22.18.0", True),
        ("22.20.0", True),
        ("23.5.0", False),
        ("23.6.0", True),
        ("24.0.0-rc.1", True),
        ("26.1.0", True),
    ],
)
def test_versions_that_read_typescript_and_resolve_the_sdk_are_able(version, able):
    assert is_new_enough(version) is able
