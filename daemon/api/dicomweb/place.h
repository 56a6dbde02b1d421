// What a URL below /dicomweb names (PS3.18 10.4 to 10.6, 9.2): a search, instances to retrieve, or
// parts of one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/dicom/web_query.h"
#include "core/result.h"
#include "sync/search_query.h"

namespace gateway::daemon::dicomweb {

inline constexpr char kBasePath[] = "/dicomweb";
inline constexpr std::uint64_t kMatchesMax = 1'000;  // of one answer; the rest by offset
inline constexpr std::size_t kFramesMax = 10'000;    // of one request

enum class Kind { search, instances, metadata, frames, bulk, rendered, thumbnail };

struct Place {
  Kind kind = Kind::search;
  /// Of a search: what is searched. Else: what is named.
  adapters::dicom::WebLevel level = adapters::dicom::WebLevel::study;
  std::string study_uid, series_uid, sop_instance_uid;
  std::vector<std::uint32_t> frames;  // from 1 on; empty: all
  std::string value;                  // bulk: where in the data set

  /// Below the base, without what follows the UIDs.
  std::string path() const;
};

/// `path` below the base, with or without slashes at its ends. Code::not_found: nothing is there;
/// Code::invalid: a UID or number is none.
core::Result<Place> place_of(std::string_view path);

/// The query of a search at `place`. `fuzzy`: it asked for fuzzy matching, which is not done.
struct Search {
  adapters::dicom::WebQuery query;
  bool fuzzy = false;
};
core::Result<Search> search_of(const Place& place, const sync::QueryPairs& pairs);

}  // namespace gateway::daemon::dicomweb
