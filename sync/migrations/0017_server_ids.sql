-- Resources a server keeps under an id of its own, because it refuses ours: sync/server_ids.h.
CREATE TABLE server_id (
  uplink TEXT NOT NULL,
  type TEXT NOT NULL,
  id TEXT NOT NULL,  -- ours
  server_id TEXT NOT NULL,
  PRIMARY KEY (uplink, type, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX server_id_back ON server_id (uplink, type, server_id);
