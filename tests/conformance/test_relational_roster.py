"""The roster: who changed it is seen at once, and a robot's row in the engine is for ever."""

import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE, Popen

from collector.relational import Lifecycle, Relational, RobotRecord


def test_the_revision_rises_with_every_change(database: Relational) -> None:
    """New robots, changed ones and unclaimed ones raise it; what changes nothing does not."""
    seen = [database.roster_revision()]

    def risen() -> bool:
        seen.append(database.roster_revision())
        return seen[-1] > seen[-2]

    database.import_robots([RobotRecord("r1")])
    assert risen()
    database.import_robots([RobotRecord("r1", site="HQ")])
    assert risen()
    database.claim_unknown(["r1", "r2"])
    assert risen()
    database.import_robots([RobotRecord("r1", site="HQ")])
    database.import_robots([])
    database.claim_unknown(["r1", "r2"])
    database.start_listening(1)
    assert not risen()


def test_the_revision_is_the_databases(url: str) -> None:
    """It is seen through every connection, and after a restart."""
    first, second = Relational(url), Relational(url)
    first.import_robots([RobotRecord("r1")])
    revision = first.roster_revision()
    assert second.roster_revision() == revision
    second.import_robots([RobotRecord("r2")])
    assert first.roster_revision() > revision
    revision = first.roster_revision()
    first.close()
    second.close()
    third = Relational(url)
    assert third.roster_revision() == revision
    third.close()


def test_a_whole_fleet_at_once(database: Relational) -> None:
    """20,000 new robots are claimed in one go, in the order in which they came."""
    ids = [f"u{number}" for number in reversed(range(20_000))]
    database.import_robots([RobotRecord("u7", site="HQ")])
    assert database.claim_unknown(ids) == [id_ for id_ in ids if id_ != "u7"]
    assert database.roster().ids == ("u7", *(id_ for id_ in ids if id_ != "u7"))
    assert database.claim_unknown(ids) == []
    assert len(database.robots_by_id(ids)) == 20_000


def test_a_change_of_many_is_seen_whole(url: str) -> None:
    """Whoever reads while an import changes 2,500 robots sees all of them changed, or none."""
    writer, reader = Relational(url), Relational(url)
    ids = [f"r{number}" for number in range(2_500)]

    def rename(site: str) -> None:
        writer.import_robots([RobotRecord(id_, site=site) for id_ in ids])

    rename("0")
    with ThreadPoolExecutor(1) as thread:
        changes = [thread.submit(rename, str(number)) for number in range(1, 6)]
        seen = []
        while not all(change.done() for change in changes):
            seen.append({robot.site for robot in reader.robots_by_id(ids).values()})
    for change in changes:
        change.result()
    writer.close()
    reader.close()
    assert seen
    assert all(len(sites) == 1 for sites in seen)


_CLAIM = """
import sys
from collector.relational import Relational
relational = Relational(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    relational.claim_unknown([f"shared{number}", f"p{sys.argv[2]}-{number}"])
relational.close()
"""


def test_rows_never_move(url: str) -> None:
    """Three processes claim robots; each roster that is read meanwhile begins with all of the one before."""
    relational = Relational(url)
    processes = [
        Popen([sys.executable, "-c", _CLAIM, url, str(number)], stdin=PIPE, stdout=PIPE, text=True)
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    before: tuple[str, ...] = ()
    while any(process.poll() is None for process in processes):
        now = relational.roster().ids
        assert now[: len(before)] == before
        before = now
    ends = [process.wait() for process in processes]
    for process in processes:
        process.communicate()
    assert ends == [0, 0, 0]
    ids = relational.roster().ids
    assert len(ids) == len(set(ids)) == 60 + 3 * 60
    assert {robot.lifecycle for robot in relational.robots()} == {Lifecycle.UNCLAIMED}
    relational.close()
