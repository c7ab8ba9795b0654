"""`python -m patterns_os` is the `patterns` command."""

from patterns_os.cli.main import main

if __name__ == "__main__":
    main()
