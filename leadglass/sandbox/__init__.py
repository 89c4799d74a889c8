"""Hostile work in processes that hold nothing worth stealing."""
