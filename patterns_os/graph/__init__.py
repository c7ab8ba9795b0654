"""What the manifest means: nodes, stores and the edges between them, inferred from code and declared.

Pure: sources are given as bytes, nothing is read, executed or imported. What cannot be proven is
`Unknown(reason)`, never silently empty.
"""
