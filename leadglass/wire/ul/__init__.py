"""The upper layer (PS3.8): PDUs, the state table, the association."""
