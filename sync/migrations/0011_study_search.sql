-- Studies are looked for by whose they are and when they were made. The name folded as sync/fhir/person_name.h says; NULL: taken in before
-- this column was there.
ALTER TABLE dicom_study ADD COLUMN name_key TEXT;
CREATE INDEX dicom_study_by_name ON dicom_study (name_key);
CREATE INDEX dicom_study_by_patient_id ON dicom_study (patient_id);
CREATE INDEX dicom_study_by_patient ON dicom_study (patient);
CREATE INDEX dicom_study_by_date ON dicom_study (study_date);
-- ACR-NEMA wrote dates with dots, and some senders write anything.
CREATE INDEX dicom_study_odd_dates ON dicom_study (study_uid) WHERE length(study_date) <> 8;
