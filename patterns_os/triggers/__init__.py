"""Why something happens: crons, what is due, and whether a webhook's sender is who it says. Pure.

Clocks are arguments; what decides here is what the actors do and what `patterns why` prints.
"""
