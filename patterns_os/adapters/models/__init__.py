"""ML models: providers that answer, and the registry that chooses one. They keep no answers."""
