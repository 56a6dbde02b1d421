// Runs a search against the replica. In the caller's snapshot or transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/search_query.h"

namespace gateway::sync {

struct SearchPage {
  std::vector<std::string> ids;       // at most query.count, in the sort's order
  std::optional<SearchPlace> next;    // what to ask for next; nothing: this was the last page
  std::optional<std::int64_t> total;  // where it was asked for
};

/// A page begins after the last entry of the one before it, not at an offset: what comes or goes
/// meanwhile neither repeats nor skips an entry. Resources without the value that is sorted by come
/// last.
core::Result<SearchPage> run_search(crypto::Connection& connection, const SearchQuery& query);

/// Resources that refer to `target` ("Type/id") by a parameter of the index, of one `type` or,
/// where that is empty, of any: "Type/id" of at most `limit`.
core::Result<std::vector<std::string>> find_referrers(crypto::Connection& connection,
                                                      std::string_view target, int limit,
                                                      std::string_view type = {});

}  // namespace gateway::sync
