"""Counting what is exposed without taking it: windows of dates, and when a count is exact."""
