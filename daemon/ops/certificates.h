// The certificates this gateway shows and the authorities it trusts, as its configuration names
// them, with the days left. Reads files; any thread.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/json.h"

namespace gateway::daemon {

/// [{"key":"api.certificate_file","file","subject","ends","days_left","ends_at_s","problem"}]:
/// every key that ends in certificate_file or ca_file and is set; "problem" is empty, or why there
/// are no dates.
core::Json certificates_report(const std::vector<std::pair<std::string, std::string>>& files,
                               core::Wall now);
/// Key and file of each.
std::vector<std::pair<std::string, std::string>> certificate_files(const core::Config& config);

}  // namespace gateway::daemon
