"""A stand-in for InfluxDB 2 where there is none: line protocol in, annotated CSV out, over real HTTP.

It keeps what the documentation promises and our store relies on: a point is its series and nanosecond, and
writing it again replaces its fields; a field keeps its type; a query by time, measurement, tag and field
gives one table a series, in the order of time. Of Flux it understands the one query that we send.
"""

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.lineprotocol import Point, parse

TOKEN = "a secret token"
ORG, BUCKET = "fleet", "vitals"
_RANGE = re.compile(r"range\(start: time\(v: (-?\d+)\), stop: time\(v: (-?\d+)\)\)")
_EQUALS = re.compile(r'r\.(\w+) == "([^"]*)"')
_MATCHES = re.compile(r"r\.(\w+) =~ /(.*?)/(?: |\))")
_KEPT = ["_field", "boot", "epoch", "robot", "stamp"]
Series = tuple[tuple[tuple[str, str], ...], str]  # tags with the measurement among them; field
_TYPES = {bool: "boolean", int: "long", float: "double"}


class InfluxDouble:
    """The server's state: points by series and time."""

    def __init__(self) -> None:
        self.points: dict[Series, dict[int, float]] = {}
        self.queries: list[str] = []
        self.kept_s = 0

    def write(self, body: str) -> str | None:
        """Takes lines; a reason to refuse them, or None."""
        for point in parse(body):
            for field, value in point.fields.items():
                series = self.points.setdefault(self._series(point, field), {})
                if series and type(next(iter(series.values()))) is not type(value):
                    return f"partial write: field type conflict: {field}"
                series[point.stamp] = value
        return None

    def query(self, flux: str) -> str:
        """The answer as annotated CSV."""
        self.queries.append(flux)
        found = _RANGE.search(flux)
        assert found, flux
        begin, end = map(int, found.groups())
        text = io.StringIO()
        for number, (series, points) in enumerate(self._chosen(flux)):
            times = sorted(stamp for stamp in points if begin <= stamp < end)
            if times:
                _table(text, number, series, [(stamp, points[stamp]) for stamp in times])
        return text.getvalue()

    def _chosen(self, flux: str) -> Iterator[tuple[Series, dict[int, float]]]:
        equal, like = _EQUALS.findall(flux), _MATCHES.findall(flux)
        for (tags, field), points in sorted(self.points.items()):
            row = {**dict(tags), "_field": field}
            if all(row.get(name) == value for name, value in equal) and all(
                re.search(pattern, row.get(name, "")) for name, pattern in like
            ):
                yield (tags, field), points

    @staticmethod
    def _series(point: Point, field: str) -> Series:
        return tuple(sorted({**point.tags, "_measurement": point.measurement}.items())), field


def _table(text: io.StringIO, number: int, series: Series, points: list[tuple[int, float]]) -> None:
    """One table, as the documentation of annotated CSV shows it."""
    tags, field = dict(series[0]), series[1]
    labels = {name: value for name, value in (("_field", field), *tags.items()) if name in _KEPT}
    names = [*sorted(labels), "_value", "stamp"]
    types = [*("string" for _ in labels), _TYPES[type(points[0][1])], "long"]
    grouped = [*("true" for _ in labels), "false", "false"]
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(["#group", "false", "false", *grouped])
    rows.writerow(["#datatype", "string", "long", *types])
    rows.writerow(["#default", "_result", "", *("" for _ in names)])
    rows.writerow(["", "result", "table", *names])
    for stamp, value in points:
        rows.writerow(["", "", number, *(labels[name] for name in sorted(labels)), repr(value), stamp])
    text.write("\r\n")


class _Handler(BaseHTTPRequestHandler):
    double: ClassVar[InfluxDouble]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        rules = [{"type": "expire", "everySeconds": self.double.kept_s}]
        bucket = {"id": "1", "orgID": "2", "name": BUCKET, "retentionRules": rules, "type": "user"}
        named = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
        self._answer(200, json.dumps({"buckets": [bucket] if named == BUCKET else []}), "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers["Authorization"] != f"Token {TOKEN}":
            self._refuse(401, "unauthorized access")
            return
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        if url.path == "/api/v2/write":
            assert (asked["org"], asked["bucket"], asked["precision"]) == ([ORG], [BUCKET], ["ns"])
            if refused := self.double.write(body):
                self._refuse(422, refused)
            else:
                self._answer(204, "", "text/plain")
        else:
            self._answer(200, self.double.query(json.loads(body)["query"]), "text/csv")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's word
        """Says nothing."""

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, json.dumps({"code": "invalid", "message": message}), "application/json")

    def _answer(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def serving(double: InfluxDouble) -> Iterator[str]:
    """Serves it on a free port of the loopback interface; gives what to write as `--store`."""
    handler = type("Handler", (_Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"influxdb://127.0.0.1:{server.server_port}/{ORG}/{BUCKET}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
