-- Where an instance goes, where a rule of the site decided that (sync/routes.h): is_routed is 1 then, and only the uplinks named in
-- dicom_route count. Else it goes to every uplink of images, also those configured later.
ALTER TABLE dicom_instance ADD COLUMN is_routed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE dicom_route (
  instance INTEGER NOT NULL REFERENCES dicom_instance (row) ON DELETE CASCADE,
  uplink TEXT NOT NULL,
  PRIMARY KEY (instance, uplink)
) WITHOUT ROWID;
