-- What a hub takes in by resumable upload (tus 1.0; sync/upload_rows.h).
CREATE TABLE upload (
  id TEXT PRIMARY KEY,
  client TEXT NOT NULL,                  -- of the API, who alone may go on with it
  length INTEGER NOT NULL,
  received INTEGER NOT NULL,             -- bytes from the beginning on that are on the disk
  metadata TEXT NOT NULL,                -- Upload-Metadata as it came
  concat TEXT NOT NULL,                  -- Upload-Concat as it came, '' for none
  stored INTEGER NOT NULL DEFAULT 0,     -- taken in as an instance; its parts are gone
  joined_into TEXT NOT NULL DEFAULT '',  -- the upload that this one's parts went into
  expires_at TEXT NOT NULL
);
CREATE INDEX upload_expiring ON upload (expires_at);
CREATE INDEX upload_open ON upload (client, length, received) WHERE stored = 0 AND joined_into = '';
CREATE INDEX upload_joined ON upload (joined_into);
-- A sealed object of it: the mark of a part, then the bytes from `begin` on.
CREATE TABLE upload_part (
  upload TEXT NOT NULL REFERENCES upload (id),
  begin INTEGER NOT NULL,
  object_id TEXT NOT NULL UNIQUE,
  PRIMARY KEY (upload, begin)
);
-- Where at a hub the bytes of an instance lie that is on its way there (sync/resumable_sender.h).
CREATE TABLE resumable_segment (
  uplink TEXT NOT NULL,
  instance INTEGER NOT NULL,
  begin INTEGER NOT NULL,
  length INTEGER NOT NULL,
  path TEXT NOT NULL,  -- of the upload's URL
  PRIMARY KEY (uplink, instance, begin)
);
