// What is held and matches a query's keys, over patients, studies, series and instances (PS3.4
// C.4.1.3.1.1; relational queries too). A page is read at a time: the database is never held while
// a match is on its way. Internal to adapters/dicom.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "adapters/dicom/archive_identifier.h"
#include "adapters/dicom/identifier_keys.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

enum class Walk { on, over };

class ArchiveWalk {
 public:
  /// Gets a match with the attributes of its level and those above, in UTF-8, to keep or change.
  using Visit = std::function<Walk(DcmDataset& found)>;

  /// `begin`: what every match holds besides, and keys may match. All are borrowed.
  ArchiveWalk(sync::Holdings& holdings, const IdentifierKeys& keys, QueryLevel level,
              const DcmDataset& begin, Visit visit)
      : holdings_(holdings), keys_(keys), level_(level), begin_(begin), visit_(std::move(visit)) {}

  /// Asked at each study and page of instances: true ends the walk.
  void stop_when(std::function<bool()> is_late) { is_late_ = std::move(is_late); }
  /// Walk::over: as `visit` or `is_late` said. An error: the database's.
  core::Result<Walk> run();

 private:
  template <class T>
  core::Result<T> read(const std::function<core::Result<T>(crypto::Connection&)>& body) {
    return holdings_.database().read_value<T>(body);
  }
  const std::string& issuer() const { return holdings_.options().ingest.patient_id_issuer; }
  core::Result<Walk> walk(const std::vector<std::string>& study_uids);
  core::Result<Walk> step(const sync::ArchiveStudy& study);
  core::Result<Walk> step(const sync::ArchiveStudy& study, const sync::ArchiveSeries& series,
                          const DcmDataset& of_study);
  Walk offer(DcmDataset& found) { return keys_.match(found) ? visit_(found) : Walk::on; }

  sync::Holdings& holdings_;
  const IdentifierKeys& keys_;
  const QueryLevel level_;
  const DcmDataset& begin_;
  const Visit visit_;
  std::function<bool()> is_late_ = [] { return false; };
  std::set<std::string> patients_seen_;
};

}  // namespace gateway::adapters::dicom
