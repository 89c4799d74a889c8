"""A small internet on loopback, to learn and test the auditor on: servers with a known truth each."""
