"""Facts in, findings out: what is dangerous, why, and how to close it. `judge` is the way in."""
