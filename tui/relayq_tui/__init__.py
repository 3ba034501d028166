"""The terminal UI of RelayQ: `relayq tui`."""
