// QIDO-RS (PS3.18 10.6) over what is held: the matching of C-FIND, answers in the DICOM JSON Model.
// No type of DCMTK is visible.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

enum class WebLevel { study, series, instance };

struct WebQuery {
  WebLevel level = WebLevel::study;
  /// Attribute (keyword, or tag in eight hexadecimal digits) and value; several values of a UID
  /// stand between backslashes.
  std::vector<std::pair<std::string, std::string>> keys;
  std::uint64_t offset = 0;
  std::uint64_t limit = 0;
};

struct WebMatches {
  std::vector<core::Json> matches;
  bool are_more = false;  // behind the last of them
};

/// Each match has all that C-FIND can answer of its level and those above, and its Retrieve URL
/// below `base`. Code::invalid: a key that is no attribute, or a value it cannot have;
/// Code::cancelled: `is_late` said so before the end.
core::Result<WebMatches> query_archive(sync::Holdings& holdings, const WebQuery& query,
                                       const std::string& base,
                                       const std::function<bool()>& is_late);

/// A keyword or tag of the data dictionary, or a private tag.
bool is_attribute(const std::string& name);

}  // namespace gateway::adapters::dicom
