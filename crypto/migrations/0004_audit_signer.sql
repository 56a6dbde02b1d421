-- The public keys that signed checkpoints under the roots before, and the newest row each can have signed for.
CREATE TABLE audit_signer (
  root       INTEGER PRIMARY KEY,
  public_key TEXT NOT NULL,
  last_seq   INTEGER NOT NULL
) STRICT;
