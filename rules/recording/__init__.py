"""Recordings: what a fleet sent, in one Parquet file, one row a sample, in the order of commit.

Every row has the columns of `FIXED`, then one column a metric, named in full (`network.disconnects`): BIGINT
for a counter, DOUBLE for a gauge, NULL where the sample lacks it. Ordered by commit time, robot, seq.
The file's key-value metadata `robovitals` is JSON: the version of this form, the intervals in which the
collector was listening (silence is judged by them), and the robots with their attributes.
"""

from rules.recording.form import FIXED, KEY, ORDER, VERSION, Header, RecordingError
from rules.recording.reader import Recording, metrics, part, read_batches, read_header
from rules.recording.writer import Writer, copy_statement

__all__ = [
    "FIXED",
    "KEY",
    "ORDER",
    "VERSION",
    "Header",
    "Recording",
    "RecordingError",
    "Writer",
    "copy_statement",
    "metrics",
    "part",
    "read_batches",
    "read_header",
]
