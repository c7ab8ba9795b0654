"""Says aloud why the corpus was not looked at, where that is so."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "corpus" in report.nodeid]
    for reason in sorted(
        {str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)}
    ):
        terminalreporter.section("corpus not looked at", sep="!", red=True)
        terminalreporter.line(reason)
