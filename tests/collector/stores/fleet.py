"""A small catalogue, and stores to test with."""

from collections.abc import Mapping, Sequence

from agent.catalogue import Catalogue, Label, Metric
from collector.stores import Commit, Retention, Rows, StoredSample, Watermark
from collector.stores.duckdb import DuckStore

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_795_000_000_000 // DAY * DAY
FOR_EVER = Retention(None, None, None)


def _metric(name: str, kind: str) -> Metric:
    return Metric(name, kind, "", name.partition(".")[0], Label(name, name))  # type: ignore[arg-type]


CATALOGUE = Catalogue(
    {},
    {name: _metric(name, kind) for name, kind in (("a.x", "counter"), ("a.y", "counter"), ("a.g", "gauge"))},
)


def sample(
    seq: int,
    t: int,
    x: int | None = None,
    g: float | None = None,
    *,
    robot: str = "r1",
    epoch: str = "e1",
    others: Mapping[str, int] | None = None,
) -> StoredSample:
    """A sample received when it was taken."""
    return StoredSample(
        robot=robot,
        epoch=epoch,
        seq=seq,
        t=t,
        robot_t=t,
        received_at=t,
        up=t,
        boot="b1",
        synced=True,
        corrected=False,
        counters=dict(others or {}) | ({} if x is None else {"a.x": x}),
        gauges={} if g is None else {"a.g": g},
    )


def commit(samples: Sequence[StoredSample], at: int, catalogue: Catalogue = CATALOGUE) -> Commit:
    """A commit of samples, with the watermarks at the last number of each epoch."""
    ordered = sorted(samples, key=lambda sample: sample.seq)
    marks = {(sample.robot, sample.epoch): Watermark(sample.seq) for sample in ordered}
    return Commit(at, Rows.of(samples, catalogue), watermarks=marks)


def maintained(store: DuckStore, now: int, retention: Retention = FOR_EVER) -> None:
    """As if an hour and a day had passed: everything is settled and rolled up."""
    store.maintain(now + 2 * DAY, retention)


def count(store: DuckStore, table: str) -> int:
    """The rows of one of the store's tables."""
    with store._cursor() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])
