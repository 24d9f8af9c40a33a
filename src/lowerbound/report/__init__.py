"""The report of a run: one HTML file that stands on its own."""

from lowerbound.report.write import write_report

__all__ = ["write_report"]
