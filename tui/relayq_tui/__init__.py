"""The terminal UI of RelayQ: `relayq tui`."""

import os

# Whoever asks Textual for a picture right behind another waits for the frame after the next. At its
# usual 60 a second a key that came behind news was painted up to 33 ms late. Nothing is drawn without need.
os.environ.setdefault("TEXTUAL_FPS", "120")
