#include "adapters/dicom/facts_reader.h"

#include "adapters/dicom/instance_head.h"

namespace gateway::adapters::dicom {

core::Result<sync::InstanceFacts> read_facts(
    const std::string& transfer_syntax_uid,
    const std::function<core::Result<std::span<const std::byte>>()>& next) {
  InstanceHead head(transfer_syntax_uid);
  while (!head.done()) {
    GW_TRY(const auto bytes, next());
    if (bytes.empty()) break;
    head.feed(bytes);
  }
  return head.facts();
}

}  // namespace gateway::adapters::dicom
