"""The report of a results folder. Imports no torch: a report from a clone takes a second."""

from benchmark.report.page import write_report

__all__ = ["write_report"]
