"""Templates: what there is, which one a name means, and what adding one does to a manifest.

Everything here is pure: the index and the templates' files come in as values, the new manifest goes out as
bytes. Reading the shipped ones is for `adapters.files.templates`, writing into an app for the commands.
"""
