// One FHIR interaction as it is asked for and answered (R4 3.1), whether it came as an HTTP request
// of its own or as an entry of a Bundle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "daemon/api/access.h"
#include "sync/clinic_edit.h"
#include "sync/search_query.h"

namespace gateway::daemon::fhir {

inline constexpr char kBasePath[] = "/fhir";
inline constexpr char kFhirJson[] = "application/fhir+json";

enum class Want { representation, minimal, outcome };

struct FhirRequest {
  std::string method;
  std::string path;  // below the base, without slashes at its ends: "Patient/1"
  sync::QueryPairs query;
  core::Json body;     // null: none
  std::string new_id;  // create: the id it gets, where a transaction has promised it; else empty
  std::string if_match, if_none_match, if_none_exist, if_modified_since;
  bool strict = false;       // Prefer: handling=strict
  std::optional<Want> want;  // Prefer: return=…; an entry of a Bundle has the Bundle's
};

struct FhirResponse {
  int status = 200;
  core::Json body;  // null: none
  std::int64_t version = 0;
  std::string at;        // FHIR instant of that version; empty: none
  std::string location;  // "Type/id/_history/1", below the base; empty: none
  std::string allow;     // 405: the methods that the place answers
  bool ok() const { return status < 400; }
};

/// What an interaction works with; for one of them.
struct Desk {
  crypto::Connection& connection;
  const sync::Editing& editing;
  const ApiClient& client;
  std::string base;  // "https://host:port/fhir"
  std::string site;  // for the CapabilityStatement
  /// Reads to be noted in the audit trail, once the snapshot or transaction is done with.
  std::vector<crypto::AuditEntry> reads = {};
  /// What others refer to is not deleted. False: whoever asked looks when all is done.
  bool keeps_referred = true;

  void note_read(std::string action, std::string resource, std::string patient);
};

/// An OperationOutcome of one error. `code` is of the issue-type value set.
FhirResponse refusal(int status, std::string_view code, std::string text);
/// What an Error of ours is to a client.
FhirResponse refusal_of(const core::Error& error);
core::Json outcome(std::string_view severity, std::string_view code, std::string_view text);

/// A version as the API shows it: with its own versionId and lastUpdated.
core::Json shown(core::Json body, std::int64_t version, std::string_view at);

/// `W/"3"` or `"3"` as 3; nothing when it is not a version of ours.
std::optional<std::int64_t> version_of_tag(std::string_view tag);

/// What If-Match or If-None-Match names (RFC 9110 13.1): "*", or versions of which those that are
/// not ours are left out.
struct NamedVersions {
  bool any = false;
  std::vector<std::int64_t> versions;
  bool names(std::int64_t version) const;
};
NamedVersions read_tags(std::string_view header);

/// RFC 9110 HTTP-date of a FHIR instant.
std::string http_date(std::string_view instant);

/// If-None-Exist as a condition. Clients send it alone ("identifier=…") or as the URL of a search
/// ("Patient?identifier=…", "https://host/fhir/Patient?identifier=…").
core::Result<sync::QueryPairs> condition_of(std::string_view if_none_exist);

}  // namespace gateway::daemon::fhir
