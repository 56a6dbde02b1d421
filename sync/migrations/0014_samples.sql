-- What monitors say between the values that are sent on (sync/samples.h): as it came, until it is packed.
CREATE TABLE sample (
  number INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  digest BLOB NOT NULL,  -- first 16 bytes of the SHA-256
  received_at TEXT NOT NULL,
  value_count INTEGER NOT NULL,
  bytes BLOB NOT NULL
);
CREATE INDEX sample_of ON sample (device, digest);

-- Many of one device together: gzip of the messages in order, each with a line "received_at length" in front.
CREATE TABLE sample_block (
  number INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  message_count INTEGER NOT NULL,
  value_count INTEGER NOT NULL,
  bytes BLOB NOT NULL
);
CREATE INDEX sample_block_of ON sample_block (device, number);
CREATE INDEX sample_block_by_age ON sample_block (last_at);
