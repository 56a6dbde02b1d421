// A FHIR R4 server's REST interface (R4 3.1) as the push and the pull see it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "sync/replica.h"

namespace gateway::sync {

struct FhirAnswer {
  int status = 0;
  core::Json body;          // null when there was none or it was not JSON
  std::string version;      // of the resource: ETag, else meta.versionId; empty when unknown
  std::string id;           // of the resource, as Location names it; empty when it does not
  std::string not_serving;  // see peer_answer.h; also where no FHIR server answers
  std::optional<core::Milliseconds> retry_after;
  std::string date;  // the server's Date header
};

class FhirEndpoint {
 public:
  explicit FhirEndpoint(std::shared_ptr<core::net::HttpClient> client)
      : client_(std::move(client)) {}

  core::net::Awaitable<core::Result<FhirAnswer>> read(ResourceKey key);
  /// PUT Type/id, with If-Match; with If-None-Match: * when `if_match` is empty, so that a creation
  /// that arrives late or twice cannot undo what was changed since (a server that does not know the
  /// header is no worse off).
  core::net::Awaitable<core::Result<FhirAnswer>> update(ResourceKey key, std::string body,
                                                        std::string if_match);
  /// POST Type with If-None-Exist: `query` (R4 3.1.0.8.1); empty: without a condition.
  core::net::Awaitable<core::Result<FhirAnswer>> create(std::string type, std::string body,
                                                        std::string query);
  /// DELETE Type/id, with If-Match when `if_match` is not empty.
  core::net::Awaitable<core::Result<FhirAnswer>> remove(ResourceKey key, std::string if_match);
  /// POST of a batch or transaction Bundle; without `packed` as pack_bodies() says.
  core::net::Awaitable<core::Result<FhirAnswer>> post_bundle(std::string body,
                                                             std::optional<bool> packed = {});
  /// GET of a search or history page; `target` starts with '/' or '?'.
  core::net::Awaitable<core::Result<FhirAnswer>> page(std::string target);
  /// A WebSocket at an absolute path of the server's.
  core::net::Awaitable<core::Result<std::shared_ptr<core::net::WebSocket>>> open_socket(
      std::string path);
  /// Bodies are packed (gzip) from then on; only for a server that is known to unpack them.
  void pack_bodies(bool packs) { packs_ = packs; }
  void close() { client_->close(); }
  /// As HttpClient::opening_time().
  core::Milliseconds opening_time() const { return client_->opening_time(); }

 private:
  core::net::Awaitable<core::Result<FhirAnswer>> send(core::net::HttpRequest request, bool packed);

  std::shared_ptr<core::net::HttpClient> client_;
  bool packs_ = false;
};

/// 403 in the server's own words: it knows who asks and forbids this one thing (a type outside of
/// the client's scope, a patient it may not see), which says nothing of the next. A bare 403 or a
/// page may be a proxy's, and speaks of the credentials.
bool is_forbidden(const FhirAnswer& answer);

/// The id in "[base]/Type/id[/_history/version]"; empty when it is no such place.
std::string id_of_location(std::string_view location);

/// `W/"3"` as 3; empty when it is not an entity tag.
std::string version_of_tag(std::string_view tag);

/// What an OperationOutcome (or any error answer) says, in one line for a person on the box. May
/// hold the server's own words about the resource: never for logs or MQTT.
std::string outcome_text(const FhirAnswer& answer);

}  // namespace gateway::sync
