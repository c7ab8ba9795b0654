"""What we need from the world, as small protocols: what may be repeated, and which errors are permanent.

No port knows an adapter. Whoever needs one of these takes it as an argument.
"""
