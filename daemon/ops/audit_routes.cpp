#include "daemon/ops/audit_routes.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/civil_time.h"
#include "core/text.h"
#include "crypto/audit_past.h"
#include "crypto/octets.h"
#include "sync/fhir/audit_event.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

constexpr std::size_t kEventsPerPage = 500;
constexpr std::uint64_t kRowsPerVerification = 50'000;

using Parameters = std::map<std::string, std::string, std::less<>>;

core::Result<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string octet = core::from_hex(text.substr(i + 1, 2));
    if (octet.size() != 1) return Error(Code::invalid, "the query is not percent-encoded");
    out += octet;
    i += 2;
  }
  return out;
}

core::Result<Parameters> parameters_of(std::string_view query,
                                       std::initializer_list<std::string_view> known) {
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), one.size() + 1));
    const auto equals = one.find('=');
    const std::string_view name = one.substr(0, equals);
    if (equals == one.npos || std::ranges::find(known, name) == known.end()) {
      return Error(Code::invalid, cat("the query knows no '", name, "'"));
    }
    GW_TRY(parameters[std::string(name)], decoded(one.substr(equals + 1)));
  }
  return parameters;
}

core::Result<std::int64_t> sequence_of(std::string_view text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stopped != end || value < 0) {
    return Error(Code::invalid, cat("'", text, "' is no number of an audit row"));
  }
  return value;
}

std::string hex_of(const crypto::Digest& mac) { return core::to_hex(crypto::as_text(mac)); }

core::Result<crypto::AuditHead> head_of(const std::string& text) {
  crypto::AuditHead head;
  if (text.empty()) return head;
  const auto comma = text.find(',');
  GW_TRY(head.sequence, sequence_of(text.substr(0, comma)));
  const std::string mac =
      comma == text.npos ? std::string() : core::from_hex(text.substr(comma + 1));
  if (mac.size() != head.mac.size()) return Error(Code::invalid, "after must be SEQ,MAC");
  std::ranges::copy(crypto::as_octets(mac), head.mac.begin());
  return head;
}

core::Result<Json> events(sync::Holdings& holdings, const std::string& site,
                          std::string_view query) {
  GW_TRY(Parameters asked, parameters_of(query, {"since", "until", "patient", "actor", "after"}));
  crypto::AuditPlace after;
  if (const std::string& place = asked["after"]; !place.empty()) {
    const auto comma = place.find(',');
    if (comma == place.npos) return Error(Code::invalid, "after must be AT,SEQ");
    after.at = place.substr(0, comma);
    GW_TRY(after.sequence, sequence_of(place.substr(comma + 1)));
  }
  crypto::AuditFilter filter{"", "", asked["patient"], asked["actor"]};
  GW_TRY(filter.since, audit_moment(asked["since"]));
  GW_TRY(filter.until, audit_moment(asked["until"]));
  GW_TRY(const auto rows,
         holdings.database().read_value<std::vector<crypto::AuditRow>>([&](Connection& connection) {
           return crypto::Audit::read(connection, filter, after, kEventsPerPage);
         }));
  Json list = Json::array();
  for (const crypto::AuditRow& row : rows) list.add(sync::audit_event(row, site));
  Json next;
  if (rows.size() == kEventsPerPage) next = cat(rows.back().at, ',', rows.back().sequence);
  return Json::object({{"events", std::move(list)}, {"next", std::move(next)}});
}

core::Result<Json> verify(sync::Holdings& holdings, std::string_view query) {
  GW_TRY(Parameters asked, parameters_of(query, {"after"}));
  GW_TRY(const crypto::AuditHead from, head_of(asked["after"]));
  GW_TRY(const auto report,
         holdings.database().read_value<crypto::AuditReport>([&](Connection& connection) {
           return holdings.audit().verify(connection, from, kRowsPerVerification);
         }));
  GW_TRY(const auto signers,
         holdings.database().read_value<std::vector<crypto::FormerSigner>>(crypto::former_signers));
  Json former = Json::array();
  for (const crypto::FormerSigner& signer : signers) {
    former.add(
        Json::object({{"public_key", signer.public_key}, {"last_sequence", signer.last_sequence}}));
  }
  return Json::object({{"rows", report.rows},
                       {"sequence", report.head.sequence},
                       {"mac", hex_of(report.head.mac)},
                       {"broken_at", report.broken_at ? Json(*report.broken_at) : Json()},
                       {"complete", report.rows < kRowsPerVerification},
                       {"public_key", holdings.witness()->public_key()},
                       {"former_keys", std::move(former)}});
}

core::Result<Json> row(sync::Holdings& holdings, std::string_view query) {
  GW_TRY(Parameters asked, parameters_of(query, {"sequence"}));
  GW_TRY(const std::int64_t sequence, sequence_of(asked["sequence"]));
  return holdings.database().read_value<Json>([&](Connection& connection) -> core::Result<Json> {
    GW_TRY(auto rows, connection.query("SELECT mac FROM audit WHERE seq = ?", sequence));
    GW_TRY(const bool there, rows.next());
    if (!there) return Error(Code::not_found, cat("there is no audit row ", sequence));
    return Json::object(
        {{"sequence", sequence}, {"mac", core::to_hex(crypto::as_text(rows.blob(0)))}});
  });
}

}  // namespace

core::Result<std::string> audit_moment(std::string_view given) {
  if (given.empty()) return std::string();
  const bool is_date = given.size() == 10 && !core::to_dicom_date(given).empty();
  const auto moment = core::parse_instant(is_date ? cat(given, "T00:00:00Z") : std::string(given));
  if (moment) return core::to_instant(*moment);
  return Error(Code::invalid, cat("'", given,
                                  "' is no moment; write a date as 2026-11-22 or an instant as "
                                  "2026-11-22T18:00:00Z, with Z or an offset such as +02:00"));
}

core::Result<Json> answer_audit(sync::Holdings& holdings, const std::string& site,
                                std::string_view target) {
  target.remove_prefix(kAuditRoutes.size());
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == target.npos ? std::string_view() : target.substr(mark + 1);
  if (path == "events") return events(holdings, site, query);
  if (path == "verify") return verify(holdings, query);
  if (path == "row") return row(holdings, query);
  if (path == "checkpoint") {
    GW_TRY(const auto checkpoint, holdings.witness()->take());
    return checkpoint.document();
  }
  return Error(Code::not_found, "there is no such route");
}

}  // namespace gateway::daemon
