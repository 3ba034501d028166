"""RelayQ: a job queue for the machines you already own."""
