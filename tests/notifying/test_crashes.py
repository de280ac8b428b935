"""kill -9 between any two steps: nothing is lost, and what comes twice says so by its key."""

import subprocess
import sys
from collections import Counter

from tests.conformance.databases import Fresh
from tests.notifying.receivers import hook

KEYS = {
    "alert-1/opened-1/hook",
    "alert-1/escalated-2/hook",
    "alert-2/opened-3/hook",
    "digest/2026-11-26/hook",
}
LIKELY = 12  # fewer steps than there are


def test_a_notifier_may_die_at_any_step(fresh: Fresh) -> None:
    """Whatever the step, the restart tells what was not told; at most one message comes twice, by its key."""
    with hook() as web:
        command = [sys.executable, "-m", "tests.notifying.crashing", str(web.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            steps = 0
            ended = "died"
            while ended == "died":
                web.calls.clear()
                process.stdin.write(f"{fresh()}\n")
                process.stdin.flush()
                ended, _, number = process.stdout.readline().strip().partition(" ")
                steps += 1
                assert int(number) == steps
                told = Counter(call.body["key"] for call in web.calls)
                assert set(told) == KEYS
                assert told.total() <= len(KEYS) + (ended == "died")
                assert [call.body["key"] for call in web.calls] == web.keys
            process.stdin.close()
    assert (ended, process.returncode) == ("done", 0)
    assert steps > LIKELY
