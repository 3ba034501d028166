"""What RelayQ costs beside its peers and beside what the machine allows at all (README.md)."""
