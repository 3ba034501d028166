"""GitHub, seen from home: minutes counted, runs started, results told; the only caller of the web."""
