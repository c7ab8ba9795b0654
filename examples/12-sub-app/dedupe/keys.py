def key_of(row, column):
    """Give the value that tells the row apart, without case and blanks."""
    return str(row[column]).strip().lower()
