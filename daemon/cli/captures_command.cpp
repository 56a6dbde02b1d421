#include "daemon/cli/captures_command.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/frame/device_options.h"
#include "adapters/frame/line_recorder.h"
#include "adapters/profiles/difference.h"
#include "core/base64.h"
#include "core/text.h"
#include "daemon/cli/tables.h"
#include "daemon/device_rehearsal.h"
#include "daemon/settings.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr const char* kRoute = "/v1/letters/captures";
constexpr std::chrono::milliseconds kLook{500};

struct Asked {
  const std::string* config = nullptr;
  std::string device;
  std::int64_t seconds = 300;
  bool stop = false;
  bool wait = true;
  std::int64_t number = 0;
  std::string profile;
};

std::string format_captures(const Json& answer) {
  std::vector<std::vector<std::string>> rows{{"NUMBER", "DEVICE", "RECORDED", "BYTES"}};
  for (const Json& one : answer["captures"].items()) {
    rows.push_back({one["number"].number_text(), std::string(one["device"].text()),
                    std::string(one["received_at"].text()), one["bytes"].number_text()});
  }
  for (const Json& one : answer["running"].items()) {
    rows.push_back({"-", std::string(one["device"].text()),
                    cat("until ", one["ends_at"].text(), one["full"].boolean() ? ", full" : ""),
                    one["bytes"].number_text()});
  }
  if (rows.size() == 1) return "Nothing was recorded; see clinic-gateway devices capture.\n";
  return format_table(rows);
}

std::string format_recorded(const Json& answer) {
  if (answer["number"].is_null()) {
    return cat("Recording device ", answer["device"].text(), " until ", answer["ends_at"].text(),
               "; clinic-gateway devices captures lists what was recorded.\n");
  }
  return cat("Recorded ", answer["bytes"].number_text(), " bytes of device ",
             answer["device"].text(), ". Show what comes of them with\n",
             "  clinic-gateway devices replay ", answer["number"].number_text(),
             " [--profile ID]\n");
}

/// The newest recording of the device; null: none.
Json newest_of(const Json& all, const std::string& device) {
  for (const Json& one : all["captures"].items())
    if (one["device"].text() == device) return one;
  return {};
}

/// The recording behind number `before`, once none of the device is running.
core::Result<Json> wait_for(const CommonOptions& common, const std::string& device,
                            std::int64_t before) {
  while (true) {
    GW_TRY(const Json all, ask(common.socket, get(kRoute), kTimeout));
    bool is_running = false;
    for (const Json& one : all["running"].items())
      is_running = is_running || one["device"].text() == device;
    if (is_running) {
      std::this_thread::sleep_for(kLook);
      continue;
    }
    const Json newest = newest_of(all, device);
    if (newest["number"].integer().value_or(0) <= before)
      return Error(Code::not_found, cat("the recording was lost; see clinic-gateway logs"));
    return newest;
  }
}

core::Result<Json> record(const CommonOptions& common, const Asked& asked) {
  const std::string route = asked.stop ? cat(kRoute, "/stop") : std::string(kRoute);
  const Json wish = Json::object({{"device", asked.device}, {"seconds", asked.seconds}});
  GW_TRY(const Json held, ask(common.socket, get(kRoute), kTimeout));
  const std::int64_t before = newest_of(held, asked.device)["number"].integer().value_or(0);
  GW_TRY(Json begun, ask(common.socket, post(route, wish.dump()), kTimeout));
  if (!asked.stop && !asked.wait) return begun;
  return wait_for(common, asked.device, before);
}

/// What the site says of the device, by its configuration.
core::Result<adapters::mapping::DeviceProfile> site_of(const core::Config& config,
                                                       const std::string& device) {
  for (const char* protocol : {"hl7", "astm", "poct1a", "socket"}) {
    GW_TRY(const auto known, adapters::frame::read_devices(config, protocol));
    for (const adapters::frame::DeviceOptions& one : known) {
      if (one.profile.name == device) return one.profile;
    }
  }
  return Error(Code::not_found, cat("device \"", device,
                                    "\" is not in the configuration any more; name a profile, "
                                    "and write its table again to see its issuers and time zone"));
}

/// The profile asked for, else the device's own; an empty one where an HL7 device or a third-party
/// adapter has none.
core::Result<adapters::profiles::Profile> profile_for(const core::Config& config,
                                                      const std::string& device,
                                                      const std::string& asked) {
  const std::string protocol = config.text(cat("device.", device, ".protocol"));
  const std::string id = asked.empty() ? config.text(cat("device.", device, ".profile")) : asked;
  if (id.empty() && protocol == "hl7") return adapters::profiles::Profile();
  if (id.empty() && protocol == "socket") {
    adapters::profiles::Profile none;
    none.protocol = protocol;
    return none;
  }
  core::Files& files = core::system_files();
  GW_TRY(const std::string folder,
         adapters::profiles::profile_folder(files, adapters::profiles::shelf_of(config), id));
  GW_TRY(adapters::profiles::Profile profile, adapters::profiles::load_profile(files, folder));
  if (profile.protocol != protocol)
    return Error(Code::invalid, cat("profile ", id, " is for devices that speak ", profile.protocol,
                                    ", device ", device, " speaks ", protocol));
  return profile;
}

core::Result<Json> replay(const CommonOptions& common, const Asked& asked) {
  GW_TRY(const Json capture, ask(common.socket, get(cat(kRoute, '/', asked.number)), kTimeout));
  const auto recording = core::from_base64(capture["recording"].text());
  if (!recording) return Error(Code::internal, "the recording did not come through");
  GW_TRY(const auto connections, adapters::frame::heard_in(*recording));
  GW_TRY(const core::Config config, core::Config::load(*asked.config, daemon::all_config_keys()));
  const std::string device(capture["device"].text());
  GW_TRY(const auto site, site_of(config, device));
  GW_TRY(const auto profile, profile_for(config, device, asked.profile));
  Json all = Json::array();
  for (const std::string& heard : connections) {
    const auto made = daemon::replay(profile, site, heard);
    all.add(made.ok() ? *made : Json::object({{"error", made.error().message()}}));
  }
  Json answer = Json::object({{"device", device}});
  answer.set("profile",
             profile.id.empty() ? std::string() : cat(profile.id, ' ', profile.revision));
  answer.set("connections", std::move(all));
  return answer;
}

std::string format_replay(const Json& answer) { return adapters::profiles::pretty(answer); }

int show_result(const CommonOptions& common, const core::Result<Json>& answer, Format format) {
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format);
}

}  // namespace

void add_capture_commands(CLI::App& devices, const CommonOptions& common,
                          const std::string& config_file, std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  asked->config = &config_file;
  const auto command = [&](const char* name, const char* what, std::function<int()> act) {
    CLI::App* one = devices.add_subcommand(name, what);
    one->fallthrough();
    one->callback([&action, act = std::move(act)] { action = act; });
    return one;
  };
  CLI::App* capture = command(
      "capture", "record what a device on a line or socket says, encrypted, and what it hears",
      [&common, asked] { return show_result(common, record(common, *asked), format_recorded); });
  capture->add_option("name", asked->device, "the device's name")->required();
  capture->add_option("--seconds", asked->seconds, "for how long; 4 MB end it sooner")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  capture->add_flag("--stop", asked->stop, "end a recording that runs");
  capture->add_flag("!--no-wait", asked->wait, "do not wait for its end");
  command("captures", "recordings, the devices' and those that run",
          [&common] { return show(common, kRoute, format_captures); });
  CLI::App* replayed = command(
      "replay", "run a recording through a profile and show what would come of it; stores nothing",
      [&common, asked] { return show_result(common, replay(common, *asked), format_replay); });
  replayed->add_option("number", asked->number, "number of the recording")->required();
  replayed->add_option("--profile", asked->profile, "another profile; default: the device's");
}

}  // namespace gateway::cli
