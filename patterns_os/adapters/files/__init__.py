"""Files: the app's own stores, locally or through fsspec, and the sources that the compiler reads."""
