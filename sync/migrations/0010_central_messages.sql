-- What central operations must hear, each once or more, until the broker has taken it (sync/central_outbox.h).
CREATE TABLE central_message (
  number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: a gap shows what was lost
  topic TEXT NOT NULL,                       -- below <mqtt.topic_prefix>/<site.name>/
  session TEXT NOT NULL,                     -- with the broker, while it came about; '' where there was none
  payload TEXT NOT NULL                      -- JSON object without "sequence" and "historical"
);
-- Alarms central operations were told of and that are not over.
CREATE TABLE central_alarm (
  name TEXT PRIMARY KEY,
  severity TEXT NOT NULL,
  text TEXT NOT NULL,
  raised_at TEXT NOT NULL
) WITHOUT ROWID;
