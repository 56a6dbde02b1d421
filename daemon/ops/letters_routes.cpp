#include "daemon/ops/letters_routes.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "adapters/mapping/character_set.h"
#include "core/text.h"
#include "sync/letter_walk.h"
#include "sync/patient_suggestions.h"
#include "sync/samples.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

constexpr std::int64_t kLettersMax = 200;
constexpr std::size_t kSamplesMax = 1'000;
// Of a page that is worked on again: whoever asked hears an answer meanwhile.
constexpr std::size_t kRetriedMax = 100;
constexpr core::Milliseconds kRetryingMax{5'000};
constexpr std::string_view kSamples = "samples";

core::Result<Json> list_letters(sync::Holdings& holdings) {
  return holdings.database().read_value<Json>(
      [](crypto::Connection& connection) -> core::Result<Json> {
        Json document = Json::object();
        GW_TRY(const Json letters, sync::letters_report(connection, kLettersMax));
        GW_TRY(const Json gaps, sync::gaps_report(connection, kLettersMax));
        document.set("letters", letters);
        document.set("gaps", gaps);
        return document;
      });
}

core::Result<Json> show_letter(sync::Holdings& holdings, const adapters::Decoders& decoders,
                               std::int64_t number) {
  GW_TRY(const sync::KeptMessage kept,
         holdings.database().read_value<sync::KeptMessage>([&](crypto::Connection& connection) {
           return sync::read_kept_message(connection, number);
         }));
  const auto decoder = decoders.find(kept.device);
  std::string text = decoder == decoders.end()
                         ? adapters::mapping::decode_text(kept.bytes, "", "").utf8
                         : decoder->second.text(kept.bytes);
  Json letter = Json::object({{"number", kept.number},
                              {"device", kept.device},
                              {"kind", kept.kind},
                              {"state", kept.state},
                              {"reason", kept.reason},
                              {"received_at", kept.received_at},
                              {"text", std::move(text)}});
  if (kept.state != "unassigned" || decoder == decoders.end()) return letter;
  const auto message = decoder->second.decode(kept.bytes);
  GW_TRY(Json suggestions,
         holdings.database().read_value<Json>([&](crypto::Connection& connection) {
           return sync::suggest_patients(connection, *message);
         }));
  letter.set("suggestions", std::move(suggestions));
  return letter;
}

struct Retrying {
  sync::Holdings& holdings;
  const core::Clock& clock;
  const adapters::Decoders& decoders;
  const Caller& caller;
};

core::Result<sync::Taken> retry_letter(const Retrying& with, std::int64_t number,
                                       const std::string& patient) {
  GW_CHECK(with.holdings.database().write([&](crypto::Connection& connection) {
    return with.holdings.audit().append(connection, {.at = with.clock.wall(),
                                                     .actor = with.caller.actor,
                                                     .action = "retry",
                                                     .resource = core::cat("message/", number),
                                                     .patient = "",
                                                     .source = with.caller.source,
                                                     .outcome = "begun"});
  }));
  return adapters::retry_message(with.holdings, number, with.decoders, patient);
}

core::Result<Json> retry_page(const Retrying& with, const Json& wish) {
  const sync::LetterFilter filter{std::string(wish["device"].text()),
                                  std::string(wish["reason"].text())};
  using Numbers = std::vector<std::int64_t>;
  GW_TRY(const Numbers page,
         with.holdings.database().read_value<Numbers>([&](crypto::Connection& connection) {
           return sync::letters_behind(connection, filter, wish["after"].integer().value_or(0),
                                       kRetriedMax + 1);
         }));
  std::map<std::string_view, std::int64_t> counts{
      {"stored", 0}, {"unassigned", 0}, {"dead", 0}, {"failed", 0}};
  std::string why;
  const core::Monotonic begun = with.clock.monotonic();
  std::size_t tried = 0;
  while (tried < std::min(page.size(), kRetriedMax) &&
         with.clock.monotonic() - begun < kRetryingMax) {
    const auto taken = retry_letter(with, page[tried++], "");
    ++counts[taken.ok() ? to_string(taken->outcome) : "failed"];
    if (!taken.ok() && why.empty()) why = taken.error().message();
  }
  Json answer = Json::object({{"tried", static_cast<std::uint64_t>(tried)}});
  for (const auto& [outcome, count] : counts) answer.set(outcome, count);
  answer.set("why", why);
  answer.set("next", tried < page.size() ? Json(page[tried - 1]) : Json());
  return answer;
}

core::Result<Json> list_samples(sync::Holdings& holdings) {
  GW_TRY(const Json samples, holdings.database().read_value<Json>(sync::samples_report));
  return Json::object({{"samples", samples}});
}

core::Result<Json> show_samples(sync::Holdings& holdings, const adapters::Decoders& decoders,
                                const std::string& device) {
  std::vector<sync::KeptSample> kept;
  GW_TRY(kept, holdings.database().read_value<std::vector<sync::KeptSample>>(
                   [&](crypto::Connection& connection) {
                     return sync::read_samples(connection, device, kSamplesMax);
                   }));
  const auto decoder = decoders.find(device);
  Json messages = Json::array();
  for (const sync::KeptSample& one : kept) {
    std::string text = decoder == decoders.end()
                           ? adapters::mapping::decode_text(one.bytes, "", "").utf8
                           : decoder->second.text(one.bytes);
    messages.add(Json::object({{"received_at", one.received_at}, {"text", std::move(text)}}));
  }
  return Json::object({{"device", device}, {"messages", std::move(messages)}});
}

}  // namespace

core::Result<Json> answer_letters(sync::Holdings& holdings, const core::Clock& clock,
                                  const adapters::Decoders& decoders, std::string_view method,
                                  std::string_view path, const std::string& body,
                                  const Caller& caller) {
  const Retrying retrying{holdings, clock, decoders, caller};
  if (path == kLetterRoutes) {
    if (method == "GET") return list_letters(holdings);
    if (method != "POST") return Error(Code::refused, "this route takes GET and POST");
    GW_TRY(const Json wish, Json::parse(body.empty() ? "{}" : body, 4));
    return retry_page(retrying, wish);
  }
  const std::string_view text = path.substr(kLetterRoutes.size() + 1);
  if (text == kSamples || text.starts_with(core::cat(kSamples, '/'))) {
    if (method != "GET") return Error(Code::refused, "this route takes GET");
    if (text == kSamples) return list_samples(holdings);
    return show_samples(holdings, decoders, std::string(text.substr(kSamples.size() + 1)));
  }
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    return Error(Code::not_found, "there is no such message");
  if (method != "POST") return show_letter(holdings, decoders, number);
  GW_TRY(const Json wish, Json::parse(body.empty() ? "{}" : body, 4));
  GW_TRY(const sync::Taken taken,
         retry_letter(retrying, number, std::string(wish["patient"].text())));
  return Json::object(
      {{"number", number}, {"state", to_string(taken.outcome)}, {"reason", taken.reason}});
}

}  // namespace gateway::daemon
