"""Attacks that must fail, each against the real thing."""
