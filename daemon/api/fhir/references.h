// The references in a body as its sender wrote them, made those the replica keeps. Pure but for
// conditions_met(), which searches.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "daemon/api/fhir/exchange.h"

namespace gateway::daemon::fhir {

/// What the fullUrls of a Bundle's entries stand for (R4 http.html 3.1.0.11.2, bundle.html
/// 2.36.4).
class FullUrls {
 public:
  /// `reference`: what the entry is about, "Type/id".
  void add(const std::string& full_url, std::string reference);

  /// The body of the entry called `full_url`, in which what names an entry names what that is
  /// about: in `reference`, and in elements of type url, uri, oid and uuid by their names. A
  /// relative reference is first looked for at the base of the entry's own fullUrl. Of a JSON Patch
  /// the values are looked at, by the last step of their paths. Code::invalid: a urn:uuid of no
  /// entry.
  core::Result<core::Json> resolved(const core::Json& body, std::string_view full_url) const;

 private:
  std::map<std::string, std::string, std::less<>> known_;
};

/// True when a reference of the body is a search ("Patient?identifier=…").
bool has_conditional(const core::Json& body);

struct ConditionsMet {
  core::Json body;    // in which every conditional reference has become what it fits
  std::string unfit;  // the type of one that fits none; empty: there is none
};
/// Code::invalid: one that fits several, is to no type of this server, or that the client may not
/// search.
core::Result<ConditionsMet> conditions_met(Desk& desk, const core::Json& body);

/// The body with references by this server's own URL ("https://host/fhir/Patient/1") made relative.
core::Json without_own_base(const core::Json& body, std::string_view base);

}  // namespace gateway::daemon::fhir
