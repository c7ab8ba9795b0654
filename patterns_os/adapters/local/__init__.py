"""What a laptop needs: the folder's lock, the note about a running server, passwords of roles, a file watch."""
