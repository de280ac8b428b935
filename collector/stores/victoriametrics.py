"""VictoriaMetrics: one writer with InfluxDB, and its own export to read.

It answers a write once the lines are in memory, shows them to readers about a second later, and has them
on disk some seconds after that (`-inmemoryDataFlushInterval`): `show` does not wait for the one, and
`Status.settles_after_s` tells of the other. What lies outside its retention, or more than two days ahead,
it drops without a word; so that is asked for, too.
"""

import io
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import urllib3

from collector.stores import StoreError
from collector.stores.lineprotocol import MEASUREMENT, MILLISECONDS, Dialect, tag, untag
from collector.stores.linewriter import ANSWER_MS, CONNECT_MS, LineWriter, Place, said, translated
from collector.stores.server import Status, Wanted
from collector.stores.strands import Strand

DAY_MS: Final = 86_400_000
AHEAD_MS: Final = DAY_MS  # half of what it takes, since its clock is not ours
MONTH_MS: Final = 31 * DAY_MS
FLUSH_S: Final = 5.0  # the default of versions that do not tell
_UNITS: Final = {"h": DAY_MS // 24, "d": DAY_MS, "w": 7 * DAY_MS, "M": MONTH_MS, "y": 365 * DAY_MS}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9.]+)(ms|s|m|h)")
DISTINCT_S: Final = 0.001  # to leave one sample a millisecond thins nothing out: no two have the same
READ_AT_ONCE: Final = 1024 * 1024
OK: Final = 200
_FLAG: Final = re.compile(r'^flag\{name="([^"]+)", value="([^"]*)"', re.MULTILINE)
_UPTIME: Final = re.compile(r"^vm_app_uptime_seconds (\S+)", re.MULTILINE)


class _Line(msgspec.Struct):
    """One series of an export."""

    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


class VictoriaMetrics:
    """A single-node VictoriaMetrics. Raises `StoreError`."""

    def __init__(self, place: Place, flush_s: float | None = None) -> None:
        """`flush_s`: how often it writes to disk; None: as it says."""
        self._place = place
        self._flush_s = flush_s
        self._writer = LineWriter(place, org="-", bucket="", precision=MILLISECONDS.precision)
        headers = None
        if place.user is not None:
            headers = urllib3.make_headers(basic_auth=f"{place.user}:{place.password or ''}")
        timeout = urllib3.Timeout(connect=CONNECT_MS / 1000, read=ANSWER_MS / 1000)
        self._http = urllib3.PoolManager(maxsize=4, retries=False, timeout=timeout, headers=headers)
        self._decoder = msgspec.json.Decoder(_Line)

    def __repr__(self) -> str:
        return f"<{self._place.shown}>"

    @property
    def dialect(self) -> Dialect:
        """Milliseconds, and decimals of one scale."""
        return MILLISECONDS

    def status(self) -> Status:
        """From its `/metrics`."""
        page = self._get("/metrics").decode(errors="replace")
        now = time.monotonic()
        flags, uptime = dict(_FLAG.findall(page)), _UPTIME.search(page)
        if uptime is None:
            raise StoreError(f"{self._place.shown}: is no VictoriaMetrics: its /metrics tell no uptime")
        self._refuse_thinning(flags)
        flush_s = self._flush_s or seconds(flags.get("inmemoryDataFlushInterval", "")) or FLUSH_S
        return Status(
            started_at=now - float(uptime[1]),
            past_ms=retention_ms(flags.get("retentionPeriod", "")) - DAY_MS // 2,
            ahead_ms=AHEAD_MS,
            settles_after_s=2 * flush_s + 2,  # it waits, then writes; and lines wait a second before
        )

    def write(self, body: bytes) -> None:
        """Takes lines into its memory."""
        self._writer.write(body)

    def show(self) -> None:
        """Makes what was written visible."""
        self._get("/internal/force_flush")

    def strands(self, ledger: str, wanted: Wanted) -> Iterator[Strand]:
        """Its export, series by series."""
        form = {
            "match[]": selector(ledger, wanted),
            "start": _in_seconds(wanted.first_ms),
            "end": _in_seconds(wanted.last_ms + 1),
            "reduce_mem_usage": "1",
        }
        shown = self._place.shown
        with translated(shown):
            url = f"{self._place.url}/api/v1/export"
            answer: Any = self._http.request(
                "POST", url, fields=form, encode_multipart=False, preload_content=False
            )
            try:
                self._check(answer, "/api/v1/export")
                answer.auto_close = False  # else its end is an error to the reader around it
                for line in io.BufferedReader(answer, READ_AT_ONCE):
                    yield self._strand(line)
            finally:
                answer.close()

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()
        self._http.clear()

    def _get(self, path: str) -> bytes:
        with translated(self._place.shown):
            answer = self._http.request("GET", self._place.url + path)
            self._check(answer, path)
            return answer.data

    def _check(self, answer: urllib3.BaseHTTPResponse, path: str) -> None:
        if answer.status != OK:
            raise StoreError(f"{self._place.shown}{path}: answered {answer.status}: {said(answer.data)}")

    def _strand(self, line: bytes) -> Strand:
        try:
            series = self._decoder.decode(line)
        except msgspec.DecodeError as error:
            raise StoreError(f"{self._place.shown}: its export cannot be read: {error}") from None
        labels = series.metric
        return Strand(
            field=labels["__name__"].removeprefix(f"{MEASUREMENT}_"),
            robot=untag(labels["robot"]),
            epoch=untag(labels["epoch"]),
            boot=untag(labels.get("boot", "")),
            stamps=series.timestamps,
            values=series.values,
        )

    def _refuse_thinning(self, flags: Mapping[str, str]) -> None:
        thinned = flags.get("dedup.minScrapeInterval", "0s")
        if (seconds(thinned) or 0) > DISTINCT_S:
            raise StoreError(
                f"{self._place.shown}: thins samples out (-dedup.minScrapeInterval={thinned}); "
                "start it without, or with 1ms"
            )


def selector(ledger: str, wanted: Wanted) -> str:
    """What an export is asked for: series by field, ledger and robots."""
    names = "|".join(map(re.escape, wanted.fields))
    robots = (
        ""
        if wanted.robots is None
        else f", robot=~{_quoted('|'.join(map(re.escape, map(tag, wanted.robots))))}"
    )
    return f"{{__name__=~{_quoted(f'{MEASUREMENT}_({names})')}, ledger={_quoted(ledger)}{robots}}}"


def seconds(text: str) -> float | None:
    """A duration as Go writes it (`1m30s`); None: it is none."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def retention_ms(text: str) -> int:
    """How long it keeps samples, by its flag (`1`, `90d`, `100y`); what is not understood is its default."""
    number = text[:-1] if text[-1:] in _UNITS else text
    try:
        return int(float(number) * _UNITS.get(text[-1:], MONTH_MS))
    except ValueError:
        return MONTH_MS


def _in_seconds(at_ms: int) -> str:
    return f"{at_ms // 1000}.{at_ms % 1000:03}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
