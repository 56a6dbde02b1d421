// An instance's facts read from bytes at rest, as sync::ReadFacts wants them: the same parser that
// C-STORE feeds.
#pragma once

#include "sync/holdings.h"

namespace gateway::adapters::dicom {

core::Result<sync::InstanceFacts> read_facts(
    const std::string& transfer_syntax_uid,
    const std::function<core::Result<std::span<const std::byte>>()>& next);

}  // namespace gateway::adapters::dicom
