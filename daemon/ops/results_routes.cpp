#include "daemon/ops/results_routes.h"

#include <charconv>

#include "core/text.h"
#include "sync/release.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

constexpr std::string_view kAccount = "user:";
constexpr std::size_t kNameMax = 200;

/// Who answers for the results.
core::Result<std::string> person_of(const std::string& body, const Caller& caller) {
  if (caller.actor.starts_with(kAccount)) return caller.actor.substr(kAccount.size());
  GW_TRY(const Json wish, Json::parse(body, 4));
  const std::string name(core::trim(wish["by"].text()));
  if (name.empty() || name.size() > kNameMax)
    return Error(Code::invalid, R"(who releases it has to be named: {"by":"NAME"})");
  return name;
}

}  // namespace

core::Result<Json> answer_results(sync::Holdings& holdings, const core::Clock& clock,
                                  std::string_view method, std::string_view path,
                                  const std::string& body, const Caller& caller) {
  if (path == kResultRoutes) {
    if (method != "GET") return Error(Code::refused, "this route takes GET");
    return holdings.database().read_value<Json>(sync::unreleased_report);
  }
  const std::string_view text = path.substr(kResultRoutes.size() + 1);
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    return Error(Code::not_found, "there is no such message");
  if (method != "POST") return Error(Code::refused, "this route takes POST");
  GW_TRY(const std::string person, person_of(body, caller));
  Json released = Json::array();
  const auto release = [&](crypto::Connection& connection) -> core::Status {
    const sync::Releasing with{
        holdings.audit(), clock,        holdings.options().ingest.fhir_uplinks,
        person,           caller.actor, caller.source};
    GW_TRY(const auto references, sync::release_results(connection, with, number));
    for (const std::string& reference : references) released.add(reference);
    return {};
  };
  GW_CHECK(holdings.database().write(release));
  Json answer = Json::object({{"number", number}});
  answer.set("released", std::move(released));
  return answer;
}

}  // namespace gateway::daemon
