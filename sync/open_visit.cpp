#include "sync/open_visit.h"

#include "core/text.h"
#include "sync/incoming_message.h"
#include "sync/replica.h"
#include "sync/search.h"

namespace gateway::sync {
namespace {

// Of one patient; who has more is no patient.
constexpr int kVisitsMax = 1'000;

bool is_over(std::string_view status) {
  return status == "finished" || status == "cancelled" || status == "entered-in-error";
}

core::Result<bool> is_of_device(crypto::Connection& connection, const core::Json& visit,
                                const std::string& device) {
  const std::string_view source = visit["meta"]["source"].text();
  if (!source.starts_with(kMessageSource)) return false;
  GW_TRY(const auto sender, connection.text("SELECT device FROM message WHERE number = ?",
                                            source.substr(kMessageSource.size())));
  return sender && *sender == device;
}

}  // namespace

core::Result<std::optional<std::string>> find_open_visit(crypto::Connection& connection,
                                                         const std::string& device,
                                                         const std::string& patient) {
  std::optional<std::string> open;
  GW_TRY(const auto visits,
         find_referrers(connection, core::cat("Patient/", patient), kVisitsMax, "Encounter"));
  for (const std::string& reference : visits) {
    const auto key = parse_reference(reference);
    if (!key || key->type != "Encounter") continue;
    GW_TRY(const auto held, read_resource(connection, *key));
    if (!held || is_over(held->body["status"].text())) continue;
    GW_TRY(const bool is_own, is_of_device(connection, held->body, device));
    if (!is_own) continue;
    if (open) return std::optional<std::string>();
    open = key->id;
  }
  return open;
}

}  // namespace gateway::sync
