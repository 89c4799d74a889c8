"""Bytes to data set and back: header scan, values, character sets, transfer syntaxes. Pure: no I/O of any kind."""
