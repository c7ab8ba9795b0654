"""Places for secrets: the environment, `.env`, an encrypted file, and the three in order."""
