"""What all tests share."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # no test asserts a time
settings.load_profile("patient")
pytest_plugins = [
    "tests.brokers",
    "tests.ram",
    "tests.postgres",
    "tests.conformance.databases",
    "tests.servers",
    "tests.conformance.stores",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is installed (`ROBOVITALS_NO_SKIPS=1`), a skipped test is a failed one.

    Save those that need an InfluxDB: no distribution has one.
    """
    report = yield
    strict = os.environ.get("ROBOVITALS_NO_SKIPS") == "1" and not item.get_closest_marker("needs_influxdb")
    if report.skipped and not hasattr(report, "wasxfail") and strict:
        report.outcome = "failed"
        report.longrepr = f"skipped, though everything should be here: {report.longrepr}"
    return report
