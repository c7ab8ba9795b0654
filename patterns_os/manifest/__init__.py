"""What the author wrote: `manifest.json` and `patterns.json`, read with their places, checked and typed.

Here are the specs, the reader that keeps positions, edits that keep the author's layout, and the JSON
Schemas. What the files mean together (edges, missing stores, cycles) belongs to `graph`. Nothing here reads
or writes files, `schema` run as a program apart. All rooms above may use it.
"""
