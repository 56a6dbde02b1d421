-- Uplinks a person has paused (sync/uplink_pauses.h).
CREATE TABLE paused_uplink (uplink TEXT PRIMARY KEY) WITHOUT ROWID;
