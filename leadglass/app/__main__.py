"""`python -m leadglass.app`: the command line."""

from leadglass.app.cli import main

main()
