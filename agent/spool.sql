CREATE TABLE sample (
    seq   INTEGER PRIMARY KEY,
    crc   INTEGER NOT NULL,  -- of epoch, seq, lost and body
    epoch TEXT NOT NULL,
    lost  INTEGER NOT NULL,  -- 0: a sample; else nothing is left of so many numbers, up to seq
    body  BLOB NOT NULL
) STRICT;
CREATE TABLE account (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    sealed BLOB NOT NULL     -- agent.ledger.Account
) STRICT;
