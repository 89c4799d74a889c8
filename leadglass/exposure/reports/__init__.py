"""An audit for people and programs. One file for each form; `words` is what they share."""
