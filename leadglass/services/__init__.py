"""The use cases. Each takes a Principal first, asks `admit`, and is covered by a journal event; a test walks them."""
