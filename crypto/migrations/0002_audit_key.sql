-- Which root key's audit key chains the rows from first_seq on; no row: the first root's, from the beginning. The newest
-- row's key derives from its root; the keys of the roots before are kept here, wrapped under the newest.
CREATE TABLE audit_key (
  root      INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  wrapped   BLOB
) STRICT;
