"""`python -m patterns_os` is the `patterns` command."""

import sys

# Python puts the current folder first: an app's `copy.py` must not be taken for the standard library's.
sys.path[:] = sys.path[1:]

from patterns_os.cli.main import main  # noqa: E402 - after the path is ours

if __name__ == "__main__":
    main()
