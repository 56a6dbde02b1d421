// Many outbox rows in few requests to a FHIR server: as Bundles where it takes them, one by one
// where it does not. What the server's limits are is learned as it goes: a Bundle it will not take
// as a whole is halved until the entry it minds stands alone.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sync/fhir_bundle.h"
#include "sync/fhir_push.h"

namespace gateway::sync {

/// How Bundles go to one server; kept from one delivery to the next. On one loop thread.
struct Bundling {
  static constexpr std::size_t kEntriesMax = 500;
  std::optional<BundleKind> kind;  // nothing: it takes none, as far as is known
  std::size_t entries_max = kEntriesMax;
  bool takes_transaction = true;  // as far as is known; for what goes together or not at all
};

/// One outcome per row, in any order. No row may refer to another that the server does not have
/// yet, unless it is of the same circle (OutboxRow::circle): those go in one transaction.
core::net::Awaitable<std::vector<RowOutcome>> push_rows(const Pushing& with, Bundling& bundling,
                                                        std::vector<OutboxRow> rows);

}  // namespace gateway::sync
