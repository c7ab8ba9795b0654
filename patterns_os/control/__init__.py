"""Making it happen: async use cases over ports. No adapter is known here."""
