"""What the collector counts about itself, for `/metrics`.

Part after part counts into one `Telemetry`, from whatever thread; nothing here is read back to decide.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from collector.queue import Severity

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Telemetry:
    """Counters and gauges of one collector, in a registry of their own."""

    def __init__(self) -> None:
        # Without this, every counter brings the time of its birth along as a metric of its own.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.messages_received = self._counter(
            "messages_received", "Messages taken from the broker.", "channel"
        )
        self.messages_refused = self._counter(
            "messages_refused", "Messages that break the contract.", "reason"
        )
        self.samples_stored = self._counter("samples_stored", "Samples committed to the store.")
        self.samples_duplicate = self._counter("samples_duplicate", "Samples that were stored before.")
        self.samples_rejected = self._counter("samples_rejected", "Samples not taken.", "reason")
        self.samples_lost = self._counter("samples_lost", "Samples declared lost by their agents.")
        self.metrics_unknown = self._counter("metrics_unknown", "Values of metrics in no catalogue.")
        self.receipts_sent = self._counter("receipts_sent", "Receipts sent to agents.")
        self.rule_errors = self._counter("rule_errors", "Evaluations of a rule that failed.", "rule")
        self.evaluation_seconds = self._histogram("evaluation_seconds", "Evaluating one group of rules.")
        self.commit_seconds = self._histogram("commit_seconds", "Committing one batch to the store.")
        self.cpu_seconds = self._counter("cpu_seconds", "CPU time of the ingest's threads.", "stage")
        self.intake_depth = self._gauge("intake_depth", "Messages taken in and not yet committed.")
        self.intake_age_seconds = self._gauge("intake_age_seconds", "How long the oldest of them waits.")
        self.robots_online = self._gauge("robots_online", "Robots connected now.")
        self.notifications_sent = self._counter("notifications_sent", "Messages that arrived.", "channel")
        self.notifications_failed = self._counter(
            "notifications_failed", "Attempts to send that failed.", "channel"
        )
        self.notifications_given_up = self._counter(
            "notifications_given_up", "Messages that are tried no more.", "channel"
        )
        self.notifications_waiting = self._gauge("notifications_waiting", "Messages to be sent.")
        self.alerts_open = Gauge(
            "robovitals_alerts_open", "Open alerts.", ["severity"], registry=self.registry
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"robovitals_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"robovitals_{name}", about, registry=self.registry)

    def _histogram(self, name: str, about: str) -> Histogram:
        return Histogram(f"robovitals_{name}", about, buckets=_SECONDS, registry=self.registry)

    def render(self, open_by_severity: dict[str, int]) -> bytes:
        """The text that Prometheus scrapes."""
        for severity in Severity:
            self.alerts_open.labels(severity.value).set(open_by_severity.get(severity, 0))
        return generate_latest(self.registry)
