-- The uplinks that were configured at the last start: everything held was queued for them. One that is not here is new, or was
-- left out for a while, and what is held is still to be queued for it (sync/uplink_filling.h).
CREATE TABLE filled_uplink (
  uplink TEXT PRIMARY KEY
) WITHOUT ROWID;
