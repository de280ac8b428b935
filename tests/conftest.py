"""What all tests share."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # no test asserts a time
settings.load_profile("patient")
pytest_plugins = ["tests.brokers"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is installed (`ROBOVITALS_NO_SKIPS=1`), a skipped test is a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("ROBOVITALS_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, though everything should be here: {report.longrepr}"
    return report
