"""The world: each package speaks to one part of it, behind a port. Adapters do not know each other."""
