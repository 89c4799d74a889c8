"""Config, command line, wiring, demo: the only room that knows all the others."""
