"""The keyset: master key, wrapped keys, recovery kit."""
