-- Storage commitments this gateway asked of a PACS (sync/pacs_commitment.h). One goes when it was answered, or after some days.
CREATE TABLE pacs_commitment (
  number INTEGER PRIMARY KEY,
  transaction_uid TEXT NOT NULL UNIQUE,
  uplink TEXT NOT NULL,
  asked_at TEXT NOT NULL
);
CREATE TABLE pacs_commitment_item (
  commitment INTEGER NOT NULL REFERENCES pacs_commitment (number) ON DELETE CASCADE,
  instance INTEGER NOT NULL REFERENCES dicom_instance (row) ON DELETE CASCADE,
  PRIMARY KEY (commitment, instance)
) WITHOUT ROWID;
CREATE INDEX pacs_commitment_item_of ON pacs_commitment_item (instance);

-- One more proof than 0001 names: 'committed' (the PACS has committed itself to keep it). asked_at: when it was last asked to.
ALTER TABLE dicom_delivery ADD COLUMN asked_at TEXT NOT NULL DEFAULT '';
CREATE INDEX dicom_delivery_unproven ON dicom_delivery (uplink, asked_at) WHERE proof IN ('stored', 'present', 'missing');
