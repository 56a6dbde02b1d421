-- What devices sent as messages, beside the resources it became. A row is there before the device hears "accepted".
CREATE TABLE message (
  number INTEGER PRIMARY KEY,
  device TEXT NOT NULL,      -- the listener's name in the configuration
  control_id TEXT NOT NULL,  -- as sent; MSH-10
  digest BLOB NOT NULL,      -- first 16 bytes of the SHA-256 of the bytes
  kind TEXT NOT NULL,        -- "ORU^R01"
  received_at TEXT NOT NULL,
  event_at TEXT NOT NULL,    -- when it happened by the sender's clock, an instant; empty: not told
  state TEXT NOT NULL CHECK (state IN ('stored', 'unassigned', 'dead')),
  reason TEXT NOT NULL,      -- why it is not stored; no patient data
  patient TEXT NOT NULL,     -- id of the Patient; empty: none
  became TEXT NOT NULL,      -- "Type/id" of each resource it told of, blank between
  answer TEXT NOT NULL       -- what the device heard; a repeat hears it again
);
CREATE INDEX message_by_control_id ON message (device, control_id, digest);
CREATE INDEX message_open ON message (number) WHERE state <> 'stored';

-- The bytes as they came. Apart, so that retention can let them go and keep what is known of the message.
CREATE TABLE message_raw (
  number INTEGER PRIMARY KEY REFERENCES message (number) ON DELETE CASCADE,
  bytes BLOB NOT NULL
);

-- What no map covers, counted: local codes, units, segments nobody reads. What was sent survives in message_raw.
CREATE TABLE mapping_gap (
  device TEXT NOT NULL,
  what TEXT NOT NULL CHECK (what IN ('segment', 'code', 'unit', 'value', 'text', 'control id')),
  system TEXT NOT NULL,  -- coding system as sent
  code TEXT NOT NULL,
  label TEXT NOT NULL,   -- the code's text as sent
  count INTEGER NOT NULL,
  last_message INTEGER NOT NULL,
  PRIMARY KEY (device, what, system, code)
) WITHOUT ROWID;
