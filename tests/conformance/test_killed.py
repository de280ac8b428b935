"""Kill -9 between any two steps of the database: nothing of an alert is lost, and nothing happens twice."""

import json
import subprocess
import sys

TRAIL = [
    [0, "opened", "system"],
    [0, "suppressed", "mei"],
    [0, "unsuppressed", "system"],
    [0, "assigned", "eve"],
    [0, "acknowledged", "mei"],
    [0, "snoozed", "mei"],
    [0, "woke", "system"],
    [0, "closed", "mei"],
    [1, "opened", "system"],
    [1, "relapsed", "system"],
    [1, "assigned", "adam"],
    [1, "escalated", "system"],
    [1, "escalated", "system"],
    [1, "closed", "mei"],
]
TOLD = ("opened", "assigned", "woke", "closed", "relapsed", "escalated")


def test_killed_at_every_step(url: str) -> None:
    """Fired, silenced, given, taken, snoozed, woken, closed, back, escalated: as if nobody had been killed.

    On PostgreSQL at every fourth step: the steps are the same, and its transactions are its own affair.
    """
    every = 1 if url.startswith("sqlite") else 4
    command = [sys.executable, "-m", "tests.conformance.killed", url, str(every)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["killed"] == len(found["lives"]) == len(range(0, found["steps"], every))
    assert found["steps"] > 100
    assert found["whole"] == {
        "alerts": [["closed", "firing", False, 0, 0, 5], ["closed", "firing", True, 1, 2, 2]],
        "trail": TRAIL,
        "told": [[episode, kind] for episode, kind, _ in TRAIL if kind in TOLD],
    }
    assert [life for life in found["lives"] if life != found["whole"]] == []
