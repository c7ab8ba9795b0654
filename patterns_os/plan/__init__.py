"""What should run: the immutable, content-hashed plan of an app, and what deploying it would change.

Pure. The same sources give the same bytes on every machine: sorted keys, no times, no absolute paths.
"""
