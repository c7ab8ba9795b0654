"""Postgres: the control database, the tables of apps, and the embedded server that keeps both on a laptop.

SQL lies in `sql/`; identifiers are quoted by the driver or by `format('%I')`. Errors of the driver are
translated in `connect.py` and leave this package as errors of `patterns_os.errors`.
"""
