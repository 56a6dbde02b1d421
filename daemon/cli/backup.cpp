#include "daemon/cli/backup.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "core/files.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_place.h"
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

crypto::BackupBody read_body(const Json& item) {
  crypto::BackupBody body{std::string(item[0].text()), bytes_of(item[1]), true, ""};
  if (item.size() > 2) {
    body.opens = item[2].boolean();
    body.doubt = item[3].text();
  }
  return body;
}

core::Status check_object(const std::string& socket, const std::string& target) {
  GW_TRY(const Json checked, ask(socket, get(target), kLongTimeout));
  if (checked["whole"].boolean()) return {};
  return core::Error(core::Code::corrupt, std::string(checked["why"].text()));
}

core::Result<crypto::BackupFeed> feed_of(const std::string& socket, const Json& started) {
  crypto::BackupFeed feed;
  feed.run = started["run"].text();
  feed.box = started["box"].text();
  feed.created = started["created"].text();
  const std::string base = cat("/v1/backup/", feed.run);
  GW_CHECK(each_page(socket, base + "/pieces", "pieces",
                     [&](const Json& name) { feed.pieces.emplace_back(name.text()); }));
  GW_CHECK(each_page(socket, base + "/bodies", "bodies",
                     [&](const Json& body) { feed.bodies.push_back(read_body(body)); }));
  for (const Json& file : started["key_part"].items()) {
    feed.key_part.emplace_back(file[0].text(), bytes_of(file[1]));
  }
  feed.piece = [socket, base](std::size_t number) {
    return ask_bytes(socket, get(cat(base, "/piece/", number)), kTimeout);
  };
  feed.body = [socket, base](const std::string& id, std::uint64_t offset) {
    return ask_bytes(socket, get(cat(base, "/body/", id, "?from=", offset)), kTimeout);
  };
  feed.check = [socket, base](const std::string& id) {
    return check_object(socket, cat(base, "/check/", id));
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

core::Result<crypto::BackupOutcome> write_run(const std::string& socket, const std::string& target,
                                              const Json& started) {
  // Again from here: a mount or a home folder may look different to the service.
  GW_CHECK(crypto::check_backup_place(target, std::string(started["state_dir"].text())));
  GW_TRY(const crypto::BackupFeed feed, feed_of(socket, started));
  return crypto::BackupFolder(core::system_files(), target).run(feed);
}

}  // namespace

core::Result<Json> back_up(const std::string& socket, const std::string& folder) {
  const std::string target = std::filesystem::absolute(folder).lexically_normal().string();
  // Links are followed here: the service may see less of the file system than who calls.
  const Json asked = Json::object({{"to", crypto::true_place(target)}});
  GW_TRY(const Json started, ask(socket, post("/v1/backup", asked), kLongTimeout));
  const std::string run(started["run"].text());
  const auto outcome = write_run(socket, target, started);
  auto ended = end(socket, run,
                   outcome.ok() ? "success" : std::string(core::to_string(outcome.error().code())));
  if (!outcome.ok()) return outcome.error();
  // The gateway restores a damaged database from there by itself.
  GW_CHECK(give_tree_like(target, socket));
  // The folder is whole; that the gateway could not note it is worth a failure all the same.
  GW_CHECK(std::move(ended));
  Json damaged = Json::array();
  for (const std::string& id : outcome->damaged) damaged.add(id);
  return Json::object({{"run", run},
                       {"created", started["created"].text()},
                       {"files", outcome->files},
                       {"written", outcome->written},
                       {"bytes_written", outcome->bytes_written},
                       {"verified", outcome->verified},
                       {"healed", outcome->healed},
                       {"removed", outcome->removed},
                       {"damaged", std::move(damaged)},
                       {"missing", bytes_of(started["missing"]) + outcome->gone_meanwhile}});
}

core::Result<Json> verify_backup(const std::string& folder) {
  const std::string target = std::filesystem::absolute(folder).lexically_normal().string();
  GW_TRY(const auto verdict, crypto::BackupFolder(core::system_files(), target).verify());
  Json bad = Json::array();
  for (const std::string& line : verdict.bad) bad.add(line);
  return Json::object(
      {{"files", verdict.files}, {"bad", std::move(bad)}, {"unnoted", verdict.unnoted}});
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
  if (outcome["healed"].integer().value_or(0) > 0) {
    text +=
        cat(outcome["healed"].number_text(),
            " files had changed in the folder and were written anew; if that happens again, use "
            "another medium.\n");
  }
  const Json& damaged = outcome["damaged"];
  if (damaged.size() > 0) {
    text += cat(damaged.size(), " objects are DAMAGED on the gateway:\n");
    for (const Json& id : damaged.items()) text += cat("  ", id.text(), '\n');
    text +=
        "What the backup had of them before stays; the rest was copied as it is, or left out if "
        "nothing opens it.\n";
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
  text += cat(bad, " of ", verdict["files"].number_text(), " files are damaged. ");
  if (const std::string unnoted(verdict["unnoted"].text()); !unnoted.empty()) {
    return cat(text, "That could not be noted in the folder (", unnoted,
               "): remove them and run the backup again, onto another medium if it fails.\n");
  }
  return cat(text,
             "That is noted: run the backup again and it writes them anew, onto another medium if "
             "it fails.\n");
}

core::Result<Json> rotate_keys(const std::string& socket, const std::string& what,
                               const std::vector<std::uint32_t>& given_up) {
  Json epochs = Json::array();
  for (const std::uint32_t epoch : given_up) epochs.add(std::int64_t{epoch});
  const Json asked = Json::object({{"what", what}, {"give_up", std::move(epochs)}});
  return ask(socket, post("/v1/keys/rotate", asked), kLongTimeout);
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
