-- The search index of the replica (sync/search_index.h). A row is found by its whole content when its resource changes, so only what
-- is sorted by has a second index by resource.
CREATE TABLE search_token (
  type TEXT NOT NULL,
  param TEXT NOT NULL,
  code TEXT NOT NULL,    -- case kept
  system TEXT NOT NULL,  -- empty: none
  id TEXT NOT NULL,
  PRIMARY KEY (type, param, code, system, id)
) WITHOUT ROWID;

CREATE TABLE search_string (
  type TEXT NOT NULL,
  param TEXT NOT NULL,
  value TEXT NOT NULL,  -- folded: no case, no accents
  id TEXT NOT NULL,
  PRIMARY KEY (type, param, value, id)
) WITHOUT ROWID;

CREATE INDEX search_string_of ON search_string (type, id, param, value);

CREATE TABLE search_date (
  type TEXT NOT NULL,
  param TEXT NOT NULL,
  low INTEGER NOT NULL,   -- milliseconds since 1970, first of the period
  high INTEGER NOT NULL,  -- the first after it
  id TEXT NOT NULL,
  PRIMARY KEY (type, param, low, high, id)
) WITHOUT ROWID;
CREATE INDEX search_date_of ON search_date (type, id, param, low, high);

-- Also answers who refers to a resource.
CREATE TABLE search_reference (
  target TEXT NOT NULL,  -- Type/id, else the URL as it stands
  type TEXT NOT NULL,
  param TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (target, type, param, id)
) WITHOUT ROWID;

-- Which version of the parameters' table the rows were made with: one row.
CREATE TABLE search_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  parameters INTEGER NOT NULL
);

-- When the newest version was stored; never goes back, so that whoever reads in this order misses nothing when the clock does.
ALTER TABLE resource ADD COLUMN at TEXT NOT NULL DEFAULT '';
UPDATE resource SET at = coalesce((SELECT v.at FROM resource_version v
  WHERE v.type = resource.type AND v.id = resource.id AND v.version = resource.version), '');
CREATE INDEX resource_by_time ON resource (type, at, id);
CREATE INDEX version_by_time ON resource_version (at, type, id, version);
CREATE INDEX version_of_type_by_time ON resource_version (type, at, id, version);
