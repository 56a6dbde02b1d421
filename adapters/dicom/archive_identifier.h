// What is held of patients, studies, series and instances as attributes of C-FIND answers (PS3.4
// C.6.1.1, C.6.2.1), in UTF-8. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <optional>
#include <string>
#include <string_view>

#include "sync/archive.h"

namespace gateway::adapters::dicom {

enum class QueryLevel { patient, study, series, image };

/// Of (0008,0052); nothing for another word.
std::optional<QueryLevel> query_level(std::string_view text);
std::string_view to_string(QueryLevel level);

void put_patient(DcmItem& identifier, const sync::ShownPatient& patient);
void put_study(DcmItem& identifier, const sync::ArchiveStudy& study);
void put_series(DcmItem& identifier, const sync::ArchiveSeries& series);
void put_instance(DcmItem& identifier, const sync::ArchiveInstance& instance);
/// (0008,0056): what of the `all` that the answer speaks of can be retrieved here.
void put_availability(DcmItem& identifier, std::int64_t held, std::int64_t all);

}  // namespace gateway::adapters::dicom
