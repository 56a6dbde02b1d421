#include "daemon/ops/letters_routes.h"

#include <charconv>

#include "adapters/mapping/character_set.h"
#include "core/text.h"
#include "sync/samples.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

constexpr std::int64_t kLettersMax = 200;
constexpr std::size_t kSamplesMax = 1'000;
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
  return Json::object({{"number", kept.number},
                       {"device", kept.device},
                       {"kind", kept.kind},
                       {"state", kept.state},
                       {"reason", kept.reason},
                       {"received_at", kept.received_at},
                       {"text", std::move(text)}});
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
  if (path == kLetterRoutes) {
    if (method != "GET") return Error(Code::refused, "this route takes GET");
    return list_letters(holdings);
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
  GW_CHECK(holdings.database().write([&](crypto::Connection& connection) {
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = caller.actor,
                                                .action = "retry",
                                                .resource = core::cat("message/", number),
                                                .patient = "",
                                                .source = caller.source,
                                                .outcome = "begun"});
  }));
  GW_TRY(const sync::Taken taken,
         adapters::retry_message(holdings, number, decoders, std::string(wish["patient"].text())));
  return Json::object(
      {{"number", number}, {"state", to_string(taken.outcome)}, {"reason", taken.reason}});
}

}  // namespace gateway::daemon
