"""The terminal UI measured through a real terminal, beside a minimal Textual app in the same run."""
