"""Nouns, ports, error codes and limits. Imports the standard library only."""
