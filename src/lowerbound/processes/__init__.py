"""Many processes at one task: who is among them, what they tell each other, how they end."""

from lowerbound.processes.group import ALONE, Group, current, default, together
from lowerbound.processes.many import Many
from lowerbound.processes.noise import same_noise

__all__ = ["ALONE", "Group", "Many", "current", "default", "same_noise", "together"]
