-- A message may be what its topic holds from then on; its payload is '' where that is nothing.
ALTER TABLE central_message ADD COLUMN retained INTEGER NOT NULL DEFAULT 0;
-- Commands of central operations that were taken on (sync/central_commands.h).
CREATE TABLE central_command (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,      -- SHA-256 of what was signed
  signer TEXT NOT NULL,      -- name of the key in the settings
  kind TEXT NOT NULL,
  parameters TEXT NOT NULL,  -- JSON object
  expires_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'done', 'failed')),
  at TEXT NOT NULL,          -- when it came to that state
  reason TEXT NOT NULL,      -- why it failed
  result TEXT NOT NULL,      -- JSON, '' for none
  retained INTEGER NOT NULL  -- its state is held at the broker
);
CREATE INDEX central_command_open ON central_command (number) WHERE state IN ('accepted', 'running');
-- The latest moment that signed commands prove to have passed, whatever the clock says: one row.
CREATE TABLE central_command_time (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  passed TEXT NOT NULL
);
