"""Who may give orders: keys and signed envelopes.

The hub is a mailbox, never an authority. Whatever it carries that could make a
worker act was signed by a key the worker's own configuration names, over the
exact bytes that travel; there is no unsigned mode. What trust turns away it
turns away with `Refused`, and with nothing else.

`cryptography` costs 12 ms to import and is imported when a key is used.
"""
