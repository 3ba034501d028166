"""The command line. `main.py` is the door; each command lives in a module of its own."""
