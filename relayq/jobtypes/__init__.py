"""The job types that come with RelayQ."""
