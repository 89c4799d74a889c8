"""The auditor as a program: its files, keys and folders. What it asks and judges is in `exposure`."""
