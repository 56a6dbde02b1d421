#include "daemon/ops/key_rotation.h"

#include <algorithm>
#include <array>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/database_key.h"
#include "crypto/epoch_rotation.h"
#include "crypto/root_rotation.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

// An association that still receives is waited for this long before its epoch is kept.
constexpr core::Milliseconds kWriterPatience{120'000};

std::string outcome_of(const core::Status& status) {
  return status.ok() ? "success" : std::string(core::to_string(status.error().code()));
}

core::Result<Json> rotate_database(sync::Holdings& holdings, const core::Clock& clock,
                                   const Caller& who) {
  const auto generation =
      crypto::rotate_database_key(core::system_files(), holdings.keyring(),
                                  holdings.options().state_folder, holdings.database());
  const core::Status status = generation.ok() ? core::Status() : core::Status(generation.error());
  GW_CHECK(record_upkeep(holdings, clock, who, "rotate", "key/database", outcome_of(status)));
  GW_CHECK(core::Status(status));
  core::log_info("daemon", cat("the database is under generation ", *generation, " of its key"));
  return Json::object({{"generation", std::int64_t{*generation}}});
}

Json epoch_document(const crypto::EpochRotation& rotation) {
  Json retired = Json::array();
  for (const std::uint32_t epoch : rotation.retired) retired.add(std::int64_t{epoch});
  return Json::object({{"current", std::int64_t{rotation.current}},
                       {"retired", std::move(retired)},
                       {"objects", rotation.objects.looked_at},
                       {"rewrapped", rotation.objects.rewrapped},
                       {"unreadable", rotation.objects.unreadable}});
}

core::Result<Json> rotate_epoch(sync::Holdings& holdings, const core::Clock& clock,
                                const Caller& who, bool finish_only) {
  core::Files& files = core::system_files();
  const std::string& folder = holdings.options().state_folder;
  const auto rotation = finish_only
                            ? crypto::finish_epoch_rotation(files, folder, holdings.keyring(),
                                                            holdings.objects(), kWriterPatience)
                            : crypto::rotate_epochs(files, folder, holdings.keyring(),
                                                    holdings.objects(), kWriterPatience);
  const core::Status status = rotation.ok() ? core::Status() : core::Status(rotation.error());
  GW_CHECK(record_upkeep(holdings, clock, who, "rotate", "key/epoch", outcome_of(status)));
  GW_CHECK(core::Status(status));
  const bool was_done_already = rotation->current == 0;
  if (!was_done_already) {
    core::log_info("daemon", cat("epoch ", rotation->current, " is in use, ",
                                 rotation->retired.size(), " older ones are destroyed"));
  }
  return epoch_document(*rotation);
}

core::Result<Json> rotate_root(sync::Holdings& holdings, const core::Clock& clock,
                               const Caller& who, const std::set<std::uint32_t>& given_up) {
  auto rotation = crypto::rotate_root({core::system_files(), holdings.options().state_folder,
                                       holdings.keyring(), holdings.database(), holdings.audit(),
                                       *holdings.witness(), given_up});
  const core::Status status = rotation.ok() ? core::Status() : core::Status(rotation.error());
  GW_CHECK(record_upkeep(holdings, clock, who, "rotate", "key/root", outcome_of(status)));
  if (!rotation.ok() && holdings.keyring().root().is_moving) {
    return std::move(rotation).error().with_context(
        "the new root key is in place, but not everything is under it yet; run it again, or "
        "restart the service, and it goes on");
  }
  GW_CHECK(core::Status(status));
  core::log_info("daemon", cat("root key ", rotation->root, " is in use, the one before is gone"));
  return Json::object(
      {{"root", Json::object({{"number", std::int64_t{rotation->root}}})},
       {"database", Json::object({{"generation", std::int64_t{rotation->generation}}})}});
}

}  // namespace

core::Status record_upkeep(sync::Holdings& holdings, const core::Clock& clock, const Caller& who,
                           std::string action, std::string resource, std::string outcome) {
  const auto append = [&](crypto::Connection& connection) {
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = who.actor,
                                                .action = action,
                                                .resource = resource,
                                                .patient = "",
                                                .source = who.source,
                                                .outcome = outcome});
  };
  return holdings.database().write(append);
}

core::Result<RotationAsked> rotation_asked(const std::string& body) {
  GW_TRY(const Json json, Json::parse(body, 4));
  RotationAsked asked{std::string(json["what"].text()), {}};
  constexpr std::array<std::string_view, 4> kKinds = {"database", "epoch", "root", "all"};
  if (std::ranges::find(kKinds, asked.what) == kKinds.end()) {
    return Error(Code::invalid,
                 "the body must be {\"what\":\"database\"|\"epoch\"|\"root\"|\"all\"}");
  }
  for (const Json& epoch : json["give_up"].items()) {
    const std::int64_t number = epoch.integer().value_or(0);
    if (number < 197001 || number > 999912)
      return Error(Code::invalid, "an epoch to give up is a number as 202601");
    asked.given_up.insert(static_cast<std::uint32_t>(number));
  }
  return asked;
}

core::Result<Json> rotate_keys(sync::Holdings& holdings, const core::Clock& clock,
                               const RotationAsked& asked, const Caller& who) {
  const std::string& what = asked.what;
  Json answer = Json::object();
  if (what == "root" || what == "all") {
    GW_TRY(answer, rotate_root(holdings, clock, who, asked.given_up));
  }
  if (what == "epoch" || what == "all") {
    GW_TRY(Json epoch, rotate_epoch(holdings, clock, who, false));
    answer.set("epoch", std::move(epoch));
  }
  if (what == "database") {
    GW_TRY(Json database, rotate_database(holdings, clock, who));
    answer.set("database", std::move(database));
  }
  return answer;
}

core::Status finish_rotations(sync::Holdings& holdings, const core::Clock& clock) {
  const Caller who = operator_on_the_box();
  if (holdings.keyring().root().is_moving) GW_CHECK(rotate_root(holdings, clock, who, {}));
  GW_TRY(const bool unfinished,
         crypto::epoch_rotation_unfinished(core::system_files(), holdings.options().state_folder));
  if (unfinished) GW_CHECK(rotate_epoch(holdings, clock, who, true));
  return {};
}

}  // namespace gateway::daemon
