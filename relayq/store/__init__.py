"""The hub's data: keys, scripts and typed access. The only package that imports redis."""
