#include "daemon/dicom_ends.h"

#include "adapters/dicom/facts_reader.h"
#include "adapters/dicom/outgoing_file.h"
#include "adapters/dicom/rejection_note.h"
#include "sync/options.h"

namespace gateway::daemon {

sync::HoldingsOptions holdings_options(const core::Config& config) {
  sync::HoldingsOptions options = sync::holdings_options(config);
  options.read_facts = adapters::dicom::read_facts;
  options.ingest.read_rejection = adapters::dicom::read_rejection_note;
  options.write_anew = [](sync::Holdings& holdings, std::int64_t row, bool compresses) {
    return adapters::dicom::write_outgoing(holdings, core::system_clock(), row, compresses);
  };
  return options;
}

}  // namespace gateway::daemon
