"""The nouns and rules of RelayQ: standard library only, no I/O, no clock."""
