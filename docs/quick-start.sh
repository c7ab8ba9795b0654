#!/bin/sh
# Runs the quick start as README.md prints it, in a fresh folder, showing each command before its output.
# `make quickstart` calls this with `patterns` on the PATH.
set -eu
cd "$(dirname "$0")/.."
# The embedded Postgres serves, whatever the shell is set up for.
unset PATTERNS_DATABASE_URL

folder=quick-start
if [ -e "$folder" ]; then
    if [ ! -e "$folder/.made-by-make" ]; then
        echo "./$folder is there already and was not made by make quickstart" >&2
        echo "  hint: move it away, then try again" >&2
        exit 1
    fi
    echo "Removing ./$folder of the time before"
    rm -rf "$folder"
fi

# The lines of the block that follows the mark; those that need a server are marked as optional.
commands=$(sed -n '/^<!-- quick-start -->$/,/^```$/p' README.md | sed -e '/^<!--/d' -e '/^```/d' -e '/^$/d' -e '/# optional/d')

while IFS= read -r command; do
    printf '\n$ %s\n' "$command"
    eval "$command" </dev/null
    case $command in
        "patterns create app"*) touch .made-by-make ;;
    esac
done <<EOT
$commands
EOT
