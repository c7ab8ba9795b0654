"""Values and rows: column types, the one codec between Python values and Postgres, row identities.

Pure: nothing here talks to a database. Whoever writes or reads rows of the app's tables goes through here, so
that every value comes back equal or is refused before anything is written (`docs/adr/0002`).
"""
