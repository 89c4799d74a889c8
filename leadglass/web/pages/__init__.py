"""Pages for people: rendered here, with a little htmx, and words in the language of who reads."""
