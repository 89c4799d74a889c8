"""Speed, measured side by side in one run. `python -m bench` prints a table and writes JSON and a picture to bench/out.

Every figure is a median over several runs, systems taking turns so that a machine that slows down slows all of them.
"""
