"""Data larger than memory: left on disk, read a window of blocks at a time.

A `Store` is a source's rows as they lie there, in blocks; `StoredExamples` is a part of them as a
schema wants them, with everything a `Source` has. What is known of all rows (their kind, their
split, their measures) is found in passes that hold one block each.
"""
