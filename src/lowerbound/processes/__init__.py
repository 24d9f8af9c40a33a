"""Many processes at one task: their group, their messages, their end."""

from lowerbound.processes.group import ALONE, Group, current, together
from lowerbound.processes.many import Many, default
from lowerbound.processes.noise import same_noise

__all__ = ["ALONE", "Group", "Many", "current", "default", "same_noise", "together"]
