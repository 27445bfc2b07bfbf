"""The tests. `python -m tests` does what continuous integration does: set-up, lint, types, layers, tests."""
