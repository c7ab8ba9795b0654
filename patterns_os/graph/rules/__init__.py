"""What can be wrong with an app as a whole: one function a rule, sorted into modules by what they look at.

`registry` lists all rules and runs them. A rule is data: its code, how bad it is, what finds it, what mends it.
"""
