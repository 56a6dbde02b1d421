-- People who sign in at the console. The verifier is Argon2id of the password (crypto/accounts.h).
CREATE TABLE account (
  name         TEXT PRIMARY KEY,
  role         TEXT NOT NULL,
  salt         BLOB NOT NULL,
  passes       INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  verifier     BLOB NOT NULL,
  created_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
