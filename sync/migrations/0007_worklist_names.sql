-- Steps are looked for by name: folded as sync/fhir/person_name.h says.
ALTER TABLE worklist_step ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
CREATE INDEX worklist_step_by_name ON worklist_step (open, name_key);
