#include "sync/confirmation.h"

#include <optional>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/data_set_digest.h"
#include "sync/peer_answer.h"
#include "sync/sent_form.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using core::net::HttpClient;
using crypto::Connection;

struct Asked {
  InstanceName name;
  std::string object_id;
  std::uint64_t data_set_offset = 0;
  std::string digest;
};

core::Result<std::optional<Asked>> load(Connection& connection, std::int64_t row) {
  GW_TRY(auto rows, connection.query("SELECT study_uid, series_uid, sop_instance_uid, object_id,"
                                     " data_set_offset, digest FROM dicom_instance"
                                     " WHERE row = ? AND state = 'held'",
                                     row));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Asked>();
  return std::optional(
      Asked{{std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2))},
            std::string(rows.text(3)),
            static_cast<std::uint64_t>(rows.integer(4)),
            std::string(rows.text(5))});
}

/// A server without WADO-RS answers 404 to everything: only QIDO-RS that finds nothing makes the
/// instance missing.
Awaitable<core::Result<bool>> is_listed(std::shared_ptr<HttpClient> client, InstanceName name) {
  core::net::HttpRequest request;
  request.target =
      core::cat("/studies/", name.study_uid, "/instances?SOPInstanceUID=", name.sop_instance_uid);
  request.headers = {{"Accept", "application/dicom+json"}};
  auto answer = co_await client->send(std::move(request));
  if (!answer.ok()) co_return std::move(answer).error();
  if (const std::string why = not_serving(*answer, "json"); !why.empty())
    co_return core::Error(core::Code::unavailable, why);
  if (answer->status == 204) co_return false;
  if (answer->status != 200) {
    co_return core::Error(core::Code::unavailable,
                          core::cat("looking for an instance, the PACS answered ", answer->status));
  }
  GW_CO_TRY(const core::Json found, core::Json::parse(answer->body));
  for (const core::Json& instance : found.items()) {
    if (instance["00080018"]["Value"][0].text() == name.sop_instance_uid) co_return true;
  }
  co_return false;
}

core::Status record(crypto::Database& database, const Question& question, Confirmed outcome,
                    const std::string& digest, const std::string& now) {
  const std::string proof = outcome == Confirmed::verified  ? "verified"
                            : outcome == Confirmed::differs ? "differs"
                                                            : "missing";
  return database.write([&](Connection& connection) -> core::Status {
    GW_CHECK(connection.run(
        "UPDATE dicom_delivery SET proof = ?, at = ? WHERE instance = ? AND uplink = ?", proof, now,
        question.row, question.uplink));
    return connection.run("UPDATE dicom_instance SET digest = ? WHERE row = ?", digest,
                          question.row);
  });
}

}  // namespace

Awaitable<core::Result<Confirmed>> confirm_instance(std::shared_ptr<Holdings> holdings,
                                                    std::shared_ptr<HttpClient> client,
                                                    const core::Clock& clock, Question question,
                                                    std::function<bool()> stopping) {
  const auto row = question.row;
  auto loaded = holdings->database().read_value<std::optional<Asked>>(
      [row](Connection& connection) { return load(connection, row); });
  if (!loaded.ok()) co_return std::move(loaded).error();
  if (!*loaded) co_return Confirmed::unknown;
  Asked asked = std::move(**loaded);
  if (asked.digest.empty()) {
    auto digest =
        data_set_digest(holdings->objects(), asked.object_id, asked.data_set_offset, stopping);
    if (!digest.ok()) {
      core::log_warn("retention", digest.error().message());
      co_return Confirmed::unknown;
    }
    asked.digest = std::move(*digest);
  }
  TakeBytes ignore = [](std::span<const std::byte>) { return core::Status(); };
  auto fetched = co_await fetch_instance(client, asked.name, std::move(ignore));
  if (!fetched.ok() && fetched.error().code() != core::Code::not_found)
    co_return std::move(fetched).error();
  Confirmed outcome = Confirmed::missing;
  if (fetched.ok()) {
    bool is_ours = fetched->data_set_digest == asked.digest;
    if (!is_ours) {
      const auto sent = holdings->database().read_value<bool>([&](Connection& connection) {
        return was_sent_as(connection, row, question.uplink, fetched->data_set_digest);
      });
      if (!sent.ok()) co_return sent.error();
      is_ours = *sent;
    }
    outcome = is_ours ? Confirmed::verified : Confirmed::differs;
  } else {
    const auto listed = co_await is_listed(client, asked.name);
    if (!listed.ok()) co_return listed.error();
    if (*listed) {
      co_return core::Error(core::Code::unavailable,
                            "the PACS lists an instance but does not hand it out (WADO-RS)");
    }
  }
  GW_CO_CHECK(record(holdings->database(), question, outcome, asked.digest,
                     core::to_instant(clock.wall())));
  co_return outcome;
}

}  // namespace gateway::sync
