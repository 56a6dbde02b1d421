-- Prior studies fetched from a PACS ahead of a scheduled visit (sync/prefetch.h).
-- The uplink an instance's bytes were fetched from; empty: a device or a person of the clinic brought them.
ALTER TABLE dicom_instance ADD COLUMN fetched_from TEXT NOT NULL DEFAULT '';
CREATE INDEX dicom_instance_fetched ON dicom_instance (study_uid, size) WHERE fetched_from <> '' AND state = 'held';

-- 1: all that is held of the study was fetched. Retention lets it go before what the clinic made.
ALTER TABLE dicom_study ADD COLUMN is_fetched INTEGER NOT NULL DEFAULT 0;
-- 0: nothing of it was made at the clinic: its ImagingStudy is for others to tell.
ALTER TABLE dicom_study ADD COLUMN is_made_here INTEGER NOT NULL DEFAULT 1;
DROP INDEX dicom_study_evictable;
CREATE INDEX dicom_study_evictable ON dicom_study (is_fetched, received_at, study_uid)
  WHERE evicted_at = '' AND pinned = 0 AND identity IN ('linked', 'provisional');

-- Visits that are near and whose priors were looked up, and which were chosen. Gone with the visit.
CREATE TABLE prefetch_visit (
  service_request TEXT PRIMARY KEY,
  patient TEXT NOT NULL  -- id of the Patient they were looked up for
) WITHOUT ROWID;
CREATE TABLE prefetch_study (
  service_request TEXT NOT NULL REFERENCES prefetch_visit (service_request) ON DELETE CASCADE,
  place INTEGER NOT NULL,  -- the order in which they are fetched
  study_uid TEXT NOT NULL,
  -- 'given_up': for this visit it is not asked for again.
  state TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'fetched', 'given_up')),
  PRIMARY KEY (service_request, place)
) WITHOUT ROWID;
CREATE INDEX prefetch_study_of ON prefetch_study (study_uid);
