"""Readers of single formats, and `source.open_source`, which chooses among them."""
