"""Widgets that are given values and post messages; they know nothing of where the values come from."""
