-- Messages of devices with a critical result, until a person has taken note: sync/critical_results.h.
CREATE TABLE critical_result (
  message INTEGER PRIMARY KEY,
  raised_at TEXT NOT NULL,
  results TEXT NOT NULL,  -- JSON: [{"what","value","flag"}]
  acknowledged_at TEXT,
  acknowledged_by TEXT
);
CREATE INDEX critical_result_open ON critical_result (message) WHERE acknowledged_at IS NULL;
