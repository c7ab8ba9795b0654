"""The `patterns` command: one module a command, thin. Nothing heavy is imported before a command needs it."""
