-- What is urgent goes first: sync/urgency.h.
ALTER TABLE outbox ADD COLUMN turn INTEGER NOT NULL DEFAULT 3;
DROP INDEX outbox_by_state;
CREATE INDEX outbox_by_state ON outbox (uplink, state, turn, number);

-- The version a person's decision made, from which what they confirmed is known; 0: none.
ALTER TABLE review ADD COLUMN decided_version INTEGER NOT NULL DEFAULT 0;
