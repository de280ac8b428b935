CREATE TABLE IF NOT EXISTS sample (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS spool (
    only         INTEGER PRIMARY KEY CHECK (only = 1),
    epoch        TEXT NOT NULL,     -- born with this file
    next         INTEGER NOT NULL,  -- the number of the next sample
    session      INTEGER NOT NULL,  -- of the last attempt to connect
    stored_until INTEGER NOT NULL,  -- what the last receipt covered
    receipt_at   INTEGER,           -- when it came, wall-clock ms
    state        BLOB NOT NULL      -- counters and their bases, as of the last sample
) STRICT;
