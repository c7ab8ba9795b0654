"""Pass on the first row of each key; the others are only counted, in a table that stays private."""

from keys import key_of

from patterns import Parameter, State, Table

rows = Table("rows")
unique = Table("unique", "w")
seen = Table("seen", "w")
key = Parameter("key", "Column that tells rows apart")
state = State()

for row in rows.as_stream():
    value = key_of(row, key)
    is_new = state.get_value(value) is None
    state.set_value(value, 1)
    seen.append({"key": value, "is_new": is_new})
    if is_new:
        unique.append(row)
