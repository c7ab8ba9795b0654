"""The one place that knows every adapter: an app's folder becomes parts that work together.

`authoring` reads and compiles, and imports nothing that reaches a database; `running` has the database, the
deployment and the async parts. Nothing is kept between commands.
"""
