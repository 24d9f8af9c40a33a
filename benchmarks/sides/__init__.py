"""The sides that `speed.py` lets train in turns, each in a process of its own."""
