-- What went to a PACS in place of an instance's stored bytes (sync/sent_form.h): by this it is recognised when it is read back.
CREATE TABLE sent_form (
  instance INTEGER NOT NULL REFERENCES dicom_instance (row) ON DELETE CASCADE,
  uplink TEXT NOT NULL,
  digest TEXT NOT NULL,  -- SHA-256 of the data set in hex, from before it was sent
  PRIMARY KEY (instance, uplink, digest)
) WITHOUT ROWID;
