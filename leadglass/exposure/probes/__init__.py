"""One file for each probe. `registry` has them in the order in which they are asked."""
