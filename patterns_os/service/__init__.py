"""The HTTP face: webhooks in, one router a noun. Never parses or renders an app's code."""
