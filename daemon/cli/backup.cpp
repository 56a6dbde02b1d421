#include "daemon/cli/backup.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "core/files.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "daemon/cli/client.h"
#include "daemon/cli/ownership.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

constexpr core::Milliseconds kTimeout{60'000};
// Copying and sealing a large database's lists, or re-wrapping every object, takes its time.
constexpr core::Milliseconds kLongTimeout{6 * 3'600'000};

core::net::HttpRequest get(std::string target) {
  core::net::HttpRequest request;
  request.target = std::move(target);
  return request;
}

core::net::HttpRequest post(std::string target, const Json& body) {
  core::net::HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body.dump();
  return request;
}

/// The pages of a list until an empty one.
core::Status each_page(const std::string& socket, const std::string& target, const char* member,
                       const std::function<void(const Json&)>& take) {
  for (std::size_t at = 0;;) {
    GW_TRY(const Json page, ask(socket, get(cat(target, "?from=", at)), kTimeout));
    if (page[member].size() == 0) return {};
    for (const Json& item : page[member].items()) take(item);
    at += page[member].size();
  }
}

std::uint64_t bytes_of(const Json& number) {
  return static_cast<std::uint64_t>(number.integer().value_or(0));
}

core::Result<crypto::BackupFeed> begin(const std::string& socket, Json& started) {
  GW_TRY(started, ask(socket, post("/v1/backup", Json::object()), kLongTimeout));
  crypto::BackupFeed feed;
  feed.run = started["run"].text();
  feed.box = started["box"].text();
  feed.created = started["created"].text();
  const std::string base = cat("/v1/backup/", feed.run);
  GW_CHECK(each_page(socket, base + "/pieces", "pieces",
                     [&](const Json& name) { feed.pieces.emplace_back(name.text()); }));
  GW_CHECK(each_page(socket, base + "/bodies", "bodies", [&](const Json& body) {
    feed.bodies.push_back({std::string(body[0].text()), bytes_of(body[1])});
  }));
  for (const Json& file : started["key_part"].items()) {
    feed.key_part.emplace_back(file[0].text(), bytes_of(file[1]));
  }
  feed.piece = [socket, base](std::size_t number) {
    return ask_bytes(socket, get(cat(base, "/piece/", number)), kTimeout);
  };
  feed.body = [socket, base](const std::string& id, std::uint64_t offset) {
    return ask_bytes(socket, get(cat(base, "/body/", id, "?from=", offset)), kTimeout);
  };
  feed.key_file = [socket, base](const std::string& name, std::uint64_t offset) {
    return ask_bytes(socket, get(cat(base, "/key-part/", name, "?from=", offset)), kTimeout);
  };
  return feed;
}

core::Status end(const std::string& socket, const std::string& run, const std::string& outcome) {
  const Json body = Json::object({{"outcome", outcome}});
  GW_CHECK(ask(socket, post(cat("/v1/backup/", run, "/done"), body), kTimeout));
  return {};
}

}  // namespace

core::Result<Json> back_up(const std::string& socket, const std::string& folder) {
  const std::string target = std::filesystem::absolute(folder).lexically_normal().string();
  Json started;
  GW_TRY(const crypto::BackupFeed feed, begin(socket, started));
  crypto::BackupFolder backup(core::system_files(), target);
  const auto outcome = backup.run(feed);
  auto ended = end(socket, feed.run,
                   outcome.ok() ? "success" : std::string(core::to_string(outcome.error().code())));
  if (!outcome.ok()) return outcome.error();
  // The gateway restores a damaged database from there by itself.
  GW_CHECK(give_tree_like(target, socket));
  // The folder is whole; that the gateway could not note it is worth a failure all the same.
  GW_CHECK(std::move(ended));
  return Json::object({{"run", feed.run},
                       {"created", feed.created},
                       {"files", outcome->files},
                       {"written", outcome->written},
                       {"bytes_written", outcome->bytes_written},
                       {"verified", outcome->verified},
                       {"removed", outcome->removed},
                       {"missing", bytes_of(started["missing"]) + outcome->gone_meanwhile}});
}

core::Result<Json> verify_backup(const std::string& folder) {
  const std::string target = std::filesystem::absolute(folder).lexically_normal().string();
  GW_TRY(const auto verdict, crypto::BackupFolder(core::system_files(), target).verify());
  Json bad = Json::array();
  for (const std::string& line : verdict.bad) bad.add(line);
  return Json::object({{"files", verdict.files}, {"bad", std::move(bad)}});
}

std::string format_backup(const Json& outcome) {
  std::string text =
      cat("Backup of ", outcome["created"].text(), ": ", outcome["files"].number_text(),
          " files, of which ", outcome["written"].number_text(), " (",
          format_bytes(outcome["bytes_written"].integer().value_or(0)),
          ") were written now and read back.\n");
  if (outcome["missing"].integer().value_or(0) > 0) {
    text += cat(outcome["missing"].number_text(),
                " objects were deleted while it ran, or are missing on the gateway.\n");
  }
  return text;
}

std::string format_verdict(const Json& verdict) {
  std::string text;
  for (const Json& line : verdict["bad"].items()) text += cat(line.text(), '\n');
  const std::size_t bad = verdict["bad"].size();
  if (bad == 0) {
    return cat("All ", verdict["files"].number_text(), " files are as they were written.\n");
  }
  return cat(text, bad, " of ", verdict["files"].number_text(),
             " files are damaged: remove them and run the backup again, onto another medium if it "
             "fails.\n");
}

core::Result<Json> rotate_keys(const std::string& socket, const std::string& what) {
  return ask(socket, post("/v1/keys/rotate", Json::object({{"what", what}})), kLongTimeout);
}

std::string format_rotation(const Json& answer) {
  std::string text;
  const Json& root = answer["root"];
  if (root.is_object()) {
    text += cat("Root key ", root["number"].number_text(),
                " is in use; what opened a slot opens it still. Run a backup now: the one before "
                "can only restore a whole box.\n");
  }
  const Json& epoch = answer["epoch"];
  if (epoch.is_object()) {
    text += cat("Epoch ", epoch["current"].number_text(), " is in use; ",
                epoch["rewrapped"].number_text(), " objects were moved to it and ",
                epoch["retired"].size(), " older keys destroyed.\n");
  }
  const Json& database = answer["database"];
  if (database.is_object()) {
    text += cat("The database is under generation ", database["generation"].number_text(),
                " of its key.\n");
  }
  return text;
}

}  // namespace gateway::cli
