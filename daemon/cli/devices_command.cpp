#include "daemon/cli/devices_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "adapters/astm/astm_options.h"
#include "adapters/filedrop/folder_options.h"
#include "adapters/hl7/hl7_options.h"
#include "adapters/mqtt/mqtt_options.h"
#include "adapters/poct1a/poct1a_options.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/text.h"
#include "daemon/cli/captures_command.h"
#include "daemon/cli/tables.h"
#include "daemon/device_rehearsal.h"
#include "daemon/settings.h"

namespace gateway::cli {
namespace {

namespace fs = std::filesystem;
using adapters::profiles::Shelf;
using core::cat;
using core::Code;
using core::Error;
using core::Json;

// Whatever the caller's umask: the daemon runs as another user. None of it is a secret.
constexpr fs::perms kReadable =
    fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read | fs::perms::others_read;
constexpr fs::perms kReadableFolder =
    kReadable | fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;

struct Asked {
  std::string config = daemon::kConfigFile;
  std::string name;
  std::string profile;
  bool all = false;
  std::int64_t port = 0;
  std::string host;
  std::string serial_port;
  std::string broker;
  std::string topic;
  std::string folder;
  std::string token_sha256;
  std::string patient_id_issuer;
  std::string specimen_id_issuer;
};

std::string format_devices(const Json& status) {
  std::vector<std::vector<std::string>> rows{
      {"DEVICE", "PROTOCOL", "PROFILE", "LAST SEEN", "STORED", "WAITING", "STATE"}};
  for (const char* protocol : {"hl7", "astm", "poct1a", "folder", "mqtt", "socket"}) {
    // "mqtt" is what central operations hear.
    const std::string_view key = protocol;
    const Json& adapter = status[key == "mqtt" ? "mqtt_devices" : key];
    for (const Json& device : adapter["devices"].items()) {
      const Json& counts = device["counts"];
      const auto waiting =
          counts["unassigned"].integer().value_or(0) + counts["dead"].integer().value_or(0);
      const std::string profile(device["profile"].text());
      const std::string seen(device["last_seen"].text());
      const std::string problem(device["problem"].text());
      std::string state(adapter["state"].text());
      if (device["silent"].boolean()) state = "silent";
      if (device["limits"].size() > 0) state = device["limits"][0U].text();
      if (!problem.empty()) state = problem;
      rows.push_back({std::string(device["name"].text()), protocol,
                      profile.empty() ? "-" : cat(profile, ' ', device["revision"].text()),
                      seen.empty() ? "never" : seen, counts["stored"].number_text(), cat(waiting),
                      state});
    }
  }
  if (rows.size() == 1) return "No device is configured; see clinic-gateway devices add.\n";
  return format_table(rows);
}

core::Result<Shelf> shelf_of(const Asked& asked) {
  std::error_code ignored;
  // A profile is tested on any machine, with or without a gateway's configuration.
  auto config =
      fs::exists(asked.config, ignored)
          ? core::Config::load(asked.config, daemon::all_config_keys())
          : core::Config::parse("site.name = \"none\"\n", "none", daemon::all_config_keys());
  if (!config.ok()) return std::move(config).error();
  return adapters::profiles::shelf_of(*config);
}

core::Result<Json> list_profiles(const Asked& asked) {
  core::Files& files = core::system_files();
  GW_TRY(const Shelf shelf, shelf_of(asked));
  GW_TRY(const auto ids, adapters::profiles::profile_ids(files, shelf));
  Json list = Json::array();
  for (const std::string& id : ids) {
    GW_TRY(const std::string folder, adapters::profiles::profile_folder(files, shelf, id));
    const auto profile = adapters::profiles::load_profile(files, folder);
    Json row = Json::object({{"id", id}, {"folder", folder}});
    row.set("device", profile.ok() ? profile->device : profile.error().message());
    row.set("revision", profile.ok() ? profile->revision : std::string());
    list.add(std::move(row));
  }
  return Json::object({{"profiles", std::move(list)}});
}

std::string format_profiles(const Json& answer) {
  std::vector<std::vector<std::string>> rows{{"PROFILE", "REVISION", "DEVICE", "FOLDER"}};
  for (const Json& one : answer["profiles"].items()) {
    rows.push_back({std::string(one["id"].text()), std::string(one["revision"].text()),
                    std::string(one["device"].text()), std::string(one["folder"].text())});
  }
  return format_table(rows);
}

core::Result<Json> test_profiles(const Asked& asked) {
  core::Files& files = core::system_files();
  GW_TRY(const Shelf shelf, shelf_of(asked));
  std::vector<std::string> ids{asked.profile};
  if (asked.all) {
    GW_TRY(ids, adapters::profiles::profile_ids(files, shelf));
  }
  Json list = Json::array();
  for (const std::string& id : ids) {
    GW_TRY(const std::string folder, adapters::profiles::profile_folder(files, shelf, id));
    auto outcomes = daemon::rehearse_profile(files, folder);
    if (!outcomes.ok()) return std::move(outcomes).error().with_context(id);
    for (const auto& one : *outcomes) {
      Json differences = Json::array();
      for (const std::string& line : one.differences) differences.add(line);
      list.add(Json::object(
          {{"profile", id}, {"fixture", one.name}, {"differences", std::move(differences)}}));
    }
  }
  if (list.size() == 0) return Error(Code::not_found, "there is no fixture to test");
  return Json::object({{"fixtures", std::move(list)}});
}

std::string format_test(const Json& answer) {
  std::string text;
  std::size_t failed = 0;
  for (const Json& one : answer["fixtures"].items()) {
    const bool is_good = one["differences"].size() == 0;
    failed += is_good ? 0U : 1U;
    text +=
        cat(is_good ? "ok    " : "WRONG ", one["profile"].text(), "/", one["fixture"].text(), "\n");
    for (const Json& line : one["differences"].items()) text += cat("        ", line.text(), "\n");
  }
  return cat(text, answer["fixtures"].size() - failed, " of ", answer["fixtures"].size(),
             " fixtures become what is expected.\n");
}

int test(const CommonOptions& common, const Asked& asked) {
  const auto answer = test_profiles(asked);
  if (!answer.ok()) return complain(common, answer.error());
  const int printed = print(common, *answer, format_test);
  const auto& fixtures = (*answer)["fixtures"].items();
  const bool is_good = std::all_of(fixtures.begin(), fixtures.end(),
                                   [](const Json& one) { return one["differences"].size() == 0; });
  return is_good ? printed : kFailed;
}

std::string device_file(const Asked& asked) {
  return cat(fs::path(asked.config).parent_path().string(), "/conf.d/device-", asked.name, ".toml");
}

bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string device_table(const Asked& asked, const std::string& protocol) {
  const auto text = [](std::string_view key, const std::string& value) {
    return value.empty() ? std::string() : cat(key, " = ", Json(value).dump(), "\n");
  };
  return cat("# Made by clinic-gateway devices add.\n[device.", asked.name, "]\n",
             text("protocol", protocol), text("profile", asked.profile),
             asked.port == 0 ? std::string() : cat("port = ", asked.port, "\n"),
             text("host", asked.host), text("serial_port", asked.serial_port),
             text("broker", asked.broker), text("topic", asked.topic), text("folder", asked.folder),
             text("token_sha256", asked.token_sha256),
             text("patient_id_issuer", asked.patient_id_issuer),
             text("specimen_id_issuer", asked.specimen_id_issuer));
}

/// What the adapter of that protocol says of the configuration.
core::Status check_devices(const core::Config& config, const std::string& protocol) {
  core::Files& files = core::system_files();
  const auto outcome = [](const auto& devices) {
    return devices.ok() ? core::Status() : core::Status(devices.error());
  };
  if (protocol == "astm") return outcome(adapters::astm::astm_devices(config, files));
  if (protocol == "poct1a") return outcome(adapters::poct1a::poct1a_devices(config, files));
  if (protocol == "mqtt") return outcome(adapters::mqtt::brokers(config, files));
  if (protocol == "socket") return outcome(adapters::thirdparty::socket_devices(config, files));
  if (protocol == "folder") return outcome(adapters::filedrop::folder_devices(config, files));
  return outcome(adapters::hl7::hl7_devices(config));
}

/// A copy of its own keeps the profile as it was tested, whatever a later package ships.
core::Status pin_profile(const Shelf& shelf, const std::string& folder, const std::string& id) {
  const std::string own = cat(shelf.site, '/', id);
  if (folder == own) return {};
  std::error_code error;
  fs::create_directories(shelf.site, error);
  if (!error) fs::permissions(shelf.site, kReadableFolder, error);
  if (!error) fs::copy(folder, own, fs::copy_options::recursive, error);
  if (error) return Error(Code::io, cat(own, ": ", error.message(), "; run this with sudo"));
  return {};
}

core::Result<Json> add_device(const Asked& asked) {
  core::Files& files = core::system_files();
  if (!is_device_name(asked.name))
    return Error(Code::invalid, cat("\"", asked.name, "\" is no name; use 1 to 32 of a-z, 0-9, -"));
  GW_TRY(const Shelf shelf, shelf_of(asked));
  GW_TRY(const std::string folder, adapters::profiles::profile_folder(files, shelf, asked.profile));
  GW_TRY(const auto profile, adapters::profiles::load_profile(files, folder));
  const std::string file = device_file(asked);
  if (fs::exists(file))
    return Error(Code::exists, cat(file, " is there already; clinic-gateway devices remove ",
                                   asked.name, " removes it"));
  GW_CHECK(pin_profile(shelf, folder, asked.profile));
  {
    std::error_code ignored;
    fs::create_directories(fs::path(file).parent_path(), ignored);
    std::ofstream stream(file);
    stream << device_table(asked, profile.protocol);
    if (!stream.flush())
      return Error(Code::io, cat(file, ": it cannot be written; run this with sudo"));
    fs::permissions(file, kReadable, ignored);
  }
  const auto config = core::Config::load(asked.config, daemon::all_config_keys());
  const core::Status checked =
      config.ok() ? check_devices(*config, profile.protocol) : core::Status(config.error());
  if (!checked.ok()) {
    fs::remove(file);
    return checked.error();
  }
  return Json::object({{"file", file}, {"profile", cat(shelf.site, '/', asked.profile)}});
}

core::Result<Json> remove_device(const Asked& asked) {
  const std::string file = device_file(asked);
  if (!is_device_name(asked.name) || !fs::exists(file))
    return Error(Code::not_found, cat(file,
                                      " is not there; a device that was written elsewhere in the "
                                      "configuration is removed there"));
  std::error_code error;
  fs::remove(file, error);
  if (error) return Error(Code::io, cat(file, ": ", error.message(), "; run this with sudo"));
  return Json::object({{"removed", file}});
}

constexpr const char* kTakeUp = "The gateway takes it up with: sudo clinic-gateway reload\n";

std::string format_added(const Json& answer) {
  return cat("Wrote ", answer["file"].text(), "\nIts profile is pinned in ",
             answer["profile"].text(), "\n", kTakeUp);
}
std::string format_removed(const Json& answer) {
  return cat("Removed ", answer["removed"].text(), "; what the device sent stays.\n", kTakeUp);
}

using Act = core::Result<Json> (*)(const Asked&);

int run(const CommonOptions& common, const Asked& asked, Act act, Format format) {
  const auto answer = act(asked);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format);
}

void add_device_options(CLI::App& add, Asked& asked) {
  add.add_option("name", asked.name, "what the device is called here")->required();
  add.add_option("--profile", asked.profile, "its model's profile")->required();
  CLI::Option* port =
      add.add_option("--port", asked.port, "TCP port: ours, or with --host its own");
  port->check(CLI::Range(1, 65535));
  add.add_option("--host", asked.host, "a device that waits to be called")->needs(port);
  add.add_option("--serial", asked.serial_port, "serial line, e.g. /dev/ttyUSB0")->excludes(port);
  add.add_option("--broker", asked.broker, "MQTT: the broker's table in the configuration");
  add.add_option("--topic", asked.topic, "MQTT: where it speaks; default: the profile's")
      ->needs("--broker");
  add.add_option("--folder", asked.folder, "where it writes its files, an absolute path");
  add.add_option("--token-sha256", asked.token_sha256,
                 "third-party adapter: SHA-256 of its token, in hex");
  add.add_option("--patient-id-issuer", asked.patient_id_issuer,
                 "FHIR system of the patient ids it sends");
  add.add_option("--specimen-id-issuer", asked.specimen_id_issuer,
                 "FHIR system of the specimen ids it sends");
}

}  // namespace

void add_devices_commands(CLI::App& app, const CommonOptions& common,
                          std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* devices =
      app.add_subcommand("devices", "analyzers, what they sent, and the profiles of their models");
  devices->fallthrough();
  devices->require_subcommand(1);
  devices->add_option("--config", asked->config, "configuration")->capture_default_str();
  const auto command = [&](const char* name, const char* what, std::function<int()> act) {
    CLI::App* one = devices->add_subcommand(name, what);
    one->fallthrough();
    one->callback([&action, act = std::move(act)] { action = act; });
    return one;
  };
  command("list", "devices, when they last spoke, what waits",
          [&common] { return show(common, "/v1/status", format_devices); });
  command("profiles", "profiles that are here",
          [&common, asked] { return run(common, *asked, list_profiles, format_profiles); });
  CLI::App* tested = command("test", "run a profile's fixtures and show what is not as expected",
                             [&common, asked] { return test(common, *asked); });
  CLI::Option* id = tested->add_option("profile", asked->profile, "id of the profile");
  tested->add_flag("--all", asked->all, "every profile")->excludes(id);
  add_device_options(
      *command("add", "connect a device, with its profile pinned",
               [&common, asked] { return run(common, *asked, add_device, format_added); }),
      *asked);
  add_capture_commands(*devices, common, asked->config, action);
  command("remove", "forget a device that was added",
          [&common, asked] { return run(common, *asked, remove_device, format_removed); })
      ->add_option("name", asked->name, "the device's name")
      ->required();
}

}  // namespace gateway::cli
