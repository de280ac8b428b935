"""InfluxDB 2: line protocol in, Flux out, both through `influxdb-client`.

A write is on disk when it is answered (the write-ahead log is synchronized before), and found by the next
query. What is older than the bucket keeps would be refused, so that is asked for.
"""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from influxdb_client.client.flux_csv_parser import FluxQueryException
from influxdb_client.client.flux_table import FluxRecord

from collector.stores import StoreError
from collector.stores.lineprotocol import MEASUREMENT, NANOSECONDS, Dialect, tag, untag
from collector.stores.linewriter import LineWriter, Place, translated
from collector.stores.server import Status, Wanted
from collector.stores.strands import Strand

DAY_MS: Final = 86_400_000


class InfluxDB:
    """One bucket of an InfluxDB 2. Raises `StoreError`."""

    def __init__(self, place: Place, org: str, bucket: str) -> None:
        self._place = place
        self._org, self._bucket = org, bucket
        self._writer = LineWriter(place, org, bucket, NANOSECONDS.precision)
        self._client = self._writer.client

    def __repr__(self) -> str:
        return f"<{self._place.shown}>"

    @property
    def dialect(self) -> Dialect:
        """Nanoseconds, and every number as it is."""
        return NANOSECONDS

    def status(self) -> Status:
        """How long the bucket keeps samples."""
        with translated(self._place.shown):
            bucket = self._client.buckets_api().find_bucket_by_name(self._bucket)
        if bucket is None:
            raise StoreError(
                f"{self._place.shown}: there is no bucket {self._bucket!r}, or the token may not read it; "
                "make it with influx bucket create"
            )
        kept = min((rule.every_seconds for rule in bucket.retention_rules if rule.every_seconds), default=0)
        past_ms = max(0, kept * 1000 - DAY_MS // 2) if kept else None
        return Status(started_at=time.monotonic(), past_ms=past_ms, ahead_ms=DAY_MS)

    def write(self, body: bytes) -> None:
        """Takes lines; they are on disk on return."""
        self._writer.write(body)

    def show(self) -> None:
        """What was written is visible."""

    def strands(self, ledger: str, wanted: Wanted) -> Iterator[Strand]:
        """A Flux query's answer, table by table."""
        query = flux(self._bucket, ledger, wanted)
        with translated(self._place.shown):
            try:
                records = self._client.query_api().query_stream(query, org=self._org)
                for _, table in groupby(records, key=attrgetter("table")):
                    yield _strand(list(table))
            except FluxQueryException as error:
                raise StoreError(f"{self._place.shown}: the query failed: {error}") from None

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()


def flux(bucket: str, ledger: str, wanted: Wanted) -> str:
    """The query: series by field, ledger and robots, with the whole time of their points as an integer."""
    begin, end = wanted.first_ms * NANOSECONDS.per_ms, (wanted.last_ms + 1) * NANOSECONDS.per_ms
    robots = (
        "" if wanted.robots is None else f" and r.robot =~ {_any_of([tag(robot) for robot in wanted.robots])}"
    )
    return (
        f"from(bucket: {_quoted(bucket)})\n"
        f"  |> range(start: time(v: {begin}), stop: time(v: {end}))\n"
        f"  |> filter(fn: (r) => r._measurement == {_quoted(MEASUREMENT)} and r.ledger == {_quoted(ledger)}"
        f" and r._field =~ {_any_of(wanted.fields)}{robots})\n"
        "  |> map(fn: (r) => ({r with stamp: int(v: r._time)}))\n"
        '  |> keep(columns: ["_field", "_value", "boot", "epoch", "robot", "stamp"])'
    )


def _strand(records: list[FluxRecord]) -> Strand:
    labels = records[0].values
    return Strand(
        field=labels["_field"],
        robot=untag(labels["robot"]),
        epoch=untag(labels["epoch"]),
        boot=untag(labels.get("boot") or ""),
        stamps=[record.values["stamp"] for record in records],
        values=[record.values["_value"] for record in records],
    )


def _any_of(texts: Sequence[str]) -> str:
    return f"/^({'|'.join(map(re.escape, texts))})$/"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'
