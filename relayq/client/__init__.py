"""Submitting, watching and fetching jobs from Python: one asyncio core and one thin sync face."""
