-- What a server of time series cannot keep in one transaction with the samples.

CREATE TABLE IF NOT EXISTS ledger (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,         -- the tag of our points on the server
    runs INTEGER NOT NULL       -- how many were begun, those without a finished commit among them
);
CREATE TABLE IF NOT EXISTS metrics (name TEXT PRIMARY KEY, kind TEXT NOT NULL);

-- Commits are numbered. A point counts if its commit's number lies in a run; others were never finished.
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS watermarks (
    robot TEXT NOT NULL, epoch TEXT NOT NULL, until INTEGER NOT NULL, above TEXT NOT NULL,
    newest INTEGER NOT NULL,     -- the highest number stored
    newest_at INTEGER NOT NULL,  -- when it was committed
    newest_place INTEGER NOT NULL,  -- the time of its point, in ms
    PRIMARY KEY (robot, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS losses (
    robot TEXT NOT NULL, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    count INTEGER NOT NULL, reason TEXT NOT NULL, declared_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS losses_by_robot ON losses (robot, declared_at);

-- Where the samples lie that were committed within a minute: most of them near that time …
CREATE TABLE IF NOT EXISTS minutes (
    minute INTEGER PRIMARY KEY, samples INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,        -- commit times
    first_place INTEGER NOT NULL, last_place INTEGER NOT NULL   -- times of points near the commit, in ms
);
-- … and others anywhere, robot by robot.
CREATE TABLE IF NOT EXISTS strays (
    minute INTEGER NOT NULL, robot TEXT NOT NULL,
    first_place INTEGER NOT NULL, last_place INTEGER NOT NULL,
    PRIMARY KEY (minute, robot)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS strays_by_robot ON strays (robot, minute);

-- What the server may still have in memory only: it is written again if the server restarts.
CREATE TABLE IF NOT EXISTS unsettled (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
