-- The studies that answer an order, whose images are hurried when it becomes urgent (sync/hurried_images.h).
CREATE INDEX dicom_study_by_order ON dicom_study (service_request) WHERE service_request <> '';
