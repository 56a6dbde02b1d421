// Several interactions in one request: batch and transaction Bundles (R4 3.1.0.11) as text, and
// their answers taken apart. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sync/fhir_endpoint.h"
#include "sync/replica.h"

namespace gateway::sync {

enum class BundleKind { batch, transaction };

/// Builds the Bundle as it is added to; entries are answered in this order.
class BundleWriter {
 public:
  explicit BundleWriter(BundleKind kind);
  /// `place`: Type/id, or a search (Type?...).
  void read(std::string_view place);
  /// POST, only where `query` finds none of the type (R4 3.1.0.8.1). `full_url`: what other entries
  /// call it; may be empty.
  void create(std::string_view type, std::string_view body, std::string_view query,
              std::string_view full_url = {});
  /// PUT; `if_match` empty: only if it is not there (If-None-Match: *).
  void update(const ResourceKey& key, std::string_view body, std::string_view if_match);
  /// DELETE; `if_match` empty: whatever its version.
  void remove(const ResourceKey& key, std::string_view if_match);

  std::size_t entries() const { return entries_; }
  /// What finish() will answer, nearly.
  std::size_t bytes() const { return text_.size(); }
  std::string finish() &&;

 private:
  void begin_entry(std::string_view method, std::string_view url);

  std::string text_;
  std::size_t entries_ = 0;
};

/// One answer per entry, as if each had been asked for by itself. Code::refused: `answer` is not
/// the answer to a Bundle of so many entries.
core::Result<std::vector<FhirAnswer>> answers_of(const FhirAnswer& answer, std::size_t entries);

}  // namespace gateway::sync
