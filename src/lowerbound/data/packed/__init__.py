"""Data that stay on disk: one form of files, read by position, and examples that are made of it."""
