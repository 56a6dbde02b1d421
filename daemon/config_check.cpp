#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "adapters/astm/astm_options.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/uplink_options.h"
#include "adapters/filedrop/folder_options.h"
#include "adapters/hl7/hl7_options.h"
#include "adapters/hl7/order_uplink.h"
#include "adapters/mqtt/mqtt_options.h"
#include "adapters/poct1a/poct1a_options.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/files.h"
#include "core/net/certificate_file.h"
#include "core/net/http_tunnel.h"
#include "core/net/socks_bridge.h"
#include "core/net/url.h"
#include "core/text.h"
#include "crypto/backup_place.h"
#include "crypto/signing_key.h"
#include "daemon/api/access.h"
#include "daemon/api/console/console_server.h"
#include "daemon/config_paths.h"
#include "daemon/ops/command_envelope.h"
#include "daemon/ops/power.h"
#include "daemon/settings.h"
#include "sync/bearer_client.h"
#include "sync/options.h"
#include "sync/routes.h"
#include "sync/uplink_hours.h"

namespace gateway::daemon {
namespace {

using core::cat;

std::string last_component(std::string_view path) {
  return std::string(path.substr(path.rfind('.') + 1));
}
std::string beside(std::string_view path, std::string_view sibling) {
  return cat(path.substr(0, path.rfind('.') + 1), sibling);
}

bool is_secret(const std::string& component) {
  return component == "key_file" || component == "client_key_file" ||
         component.ends_with("password_file") || component == "passphrase_file" ||
         component == "passcode_file" || component.ends_with("token_file");
}

constexpr std::size_t kPemMax = 4000;

/// root, who sets the gateway up, may read everything: what counts is whether the service may.
bool service_may_read(const std::string& file, const struct stat& facts) {
  const passwd* const service = ::geteuid() == 0 ? ::getpwnam("clinic-gateway") : nullptr;
  if (service == nullptr) return ::access(file.c_str(), R_OK) == 0;
  if (facts.st_uid == service->pw_uid) return (facts.st_mode & S_IRUSR) != 0;
  if (facts.st_gid == service->pw_gid) return (facts.st_mode & S_IRGRP) != 0;
  return (facts.st_mode & S_IROTH) != 0;
}

class Checker {
 public:
  Checker(const core::Config& config, const std::vector<core::ConfigKey>& keys)
      : config_(config), keys_(keys) {}

  std::vector<Mistake> run() {
    for (const core::ConfigKey& key : keys_) {
      if (key.type != core::KeyType::text) continue;
      for (const std::string& path : paths_of(config_, key)) check_text(path);
    }
    check_site();
    check_folders();
    check_mqtt();
    check_commands();
    check_uplinks();
    check_worklist();
    check_retention();
    check_prefetch();
    take_mistake_of(adapters::dicom::dicom_options(config_), true);
    check_routes();
    for (const ApiMistake& found : check_api(config_)) mistake(found.key, found.what);
    for (const console::ConsoleMistake& found : console::check_console(config_))
      mistake(found.key, found.what);
    check_power();
    check_devices();
    return std::move(mistakes_);
  }

 private:
  bool registered(std::string_view pattern) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&](const core::ConfigKey& key) { return key.path == pattern; });
  }

  void mistake(const std::string& key, std::string what, bool fatal = true) {
    mistakes_.push_back({config_.where(key), key, std::move(what), fatal});
  }

  void check_text(const std::string& path) {
    const std::string component = last_component(path);
    if (component.ends_with("_file")) check_file(path, component);
    if (component == "bind") check_address(path);
    if (component == "url" || component.ends_with("_url")) check_url(path);
    if (component == "proxy") check_proxy(path);
  }

  void check_file(const std::string& key, const std::string& component) {
    const std::string file = config_.text(key);
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) {
      mistake(key, cat(file, ": ", std::generic_category().message(errno), "; put it there"),
              false);
    } else if (!S_ISREG(facts.st_mode) || !service_may_read(file, facts)) {
      mistake(key, cat(file, " is not a readable file; let user clinic-gateway read it"), false);
    } else if (is_secret(component) && (facts.st_mode & S_IRWXO) != 0) {
      mistake(key, cat(file, " is open to every user; chmod o-rwx ", file), false);
    } else if (component.ends_with("ca_file") || component.ends_with("certificate_file")) {
      const auto dates = core::net::read_certificate_dates(file, core::Wall());
      if (!dates.ok()) mistake(key, dates.error().message(), false);
    }
  }

  void check_address(const std::string& key) {
    const std::string address = config_.text(key);
    in6_addr parsed{};
    if (::inet_pton(AF_INET, address.c_str(), &parsed) == 1 ||
        ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1)
      return;
    mistake(key, cat("\"", address, "\" is no IP address; set one, or 0.0.0.0 for all"));
  }

  /// MLLP has URLs of its own; check_kind() and the devices' settings know them.
  bool is_of_mllp(const std::string& key) const {
    if (key.ends_with(".orders_url")) return true;
    return key.starts_with("uplink.") && config_.text(beside(key, "kind")) == "hl7";
  }

  void check_url(const std::string& key) {
    if (is_of_mllp(key)) return;
    const auto url = core::net::parse_url(config_.text(key));
    if (!url.ok()) {
      mistake(key, url.error().message());
    } else if (!url->tls && !url->loopback() && !plain_allowed(key)) {
      mistake(key,
              cat("http:// to ", url->host, " would send patient data in the clear; use https://"));
    }
  }

  void check_proxy(const std::string& key) {
    const std::string text = config_.text(key);
    // The uplinks' own client knows no SOCKS.
    if (key == "mqtt.proxy" && core::net::read_socks_proxy(text).ok()) return;
    if (const auto proxy = core::net::read_proxy(text, "", ""); !proxy.ok())
      mistake(key, proxy.error().message());
  }

  bool plain_allowed(const std::string& key) const {
    const auto first = key.find('.');
    const auto second = key.find('.', first + 1);
    if (second == key.npos) return false;
    const std::string pattern = cat(key.substr(0, first), ".*.plain_allowed");
    return registered(pattern) && config_.boolean(beside(key, "plain_allowed"));
  }

  void check_site() {
    const std::string name = config_.text("site.name");
    const bool good =
        !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
    if (!good) {
      mistake("site.name", cat("\"", name, "\" is no site name; use 1 to 32 of a-z, 0-9 and -"));
    }
    const std::string zone = config_.text("site.timezone");
    if (!is_time_zone(zone)) {
      mistake("site.timezone",
              cat("\"", zone,
                  "\" is no time zone known here; use a name such as Africa/Blantyre "
                  "(package tzdata)"));
    }
  }

  void check_folders() {
    for (const char* key : {"storage.state_dir", "control.socket", "backup.dir", "wear.dir"}) {
      const std::string path = config_.text(key);
      if (path.empty() && !config_.has(key)) continue;
      if (!path.starts_with('/')) {
        mistake(key, cat("\"", path, "\" is no absolute path; start it with /"));
      }
    }
    check_backup_folder();
    constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;
    if (config_.text("control.socket").size() > kSocketPathMax) {
      mistake("control.socket", cat("is longer than ", kSocketPathMax, " characters; shorten it"));
    }
  }

  void check_backup_folder() {
    const std::string folder = config_.text("backup.dir");
    const std::string state = config_.text("storage.state_dir");
    if (!folder.starts_with('/') || !state.starts_with('/')) return;
    if (const auto place = crypto::check_backup_place(folder, state); !place.ok())
      mistake("backup.dir", place.error().message());
  }

  /// A type, and what is asked of it (R4 3.1.1): what comes is put behind the uplink's url.
  static bool is_search(const std::string& text) {
    const auto question = text.find('?');
    const std::string type = text.substr(0, question);
    const bool is_type = !type.empty() && type.front() >= 'A' && type.front() <= 'Z' &&
                         std::all_of(type.begin(), type.end(), [](unsigned char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                         });
    return is_type && std::all_of(text.begin(), text.end(),
                                  [](unsigned char c) { return c > ' ' && c < 0x7f && c != '#'; });
  }

  void check_uplinks() {
    for (const std::string& name : config_.names("uplink")) {
      const auto key = [&](std::string_view last) { return cat("uplink.", name, ".", last); };
      check_kind(name);
      check_pair(key("certificate_file"), key("key_file"));
      check_pair(key("key_file"), key("certificate_file"));
      check_pair(key("password_file"), key("username"));
      check_pair(key("proxy_password_file"), key("proxy_username"));
      check_pair(key("proxy_username"), key("proxy"));
      check_token(key("token_file"), {key("username"), key("token_url")});
      check_token(key("resumable_token_file"), {});
      if (config_.has(key("hours"))) {
        const auto hours =
            sync::UplinkHours::parse(config_.texts(key("hours")), config_.text("site.timezone"));
        if (!hours.ok()) mistake(key("hours"), hours.error().message());
      }
      check_hints(name);
      if (!config_.has(key("pull"))) continue;
      for (const std::string& search : config_.texts(key("pull"))) {
        if (is_search(search)) continue;
        mistake(key("pull"), cat("\"", search,
                                 "\" is no search; write a resource type, such as Patient, or "
                                 "TYPE?NAME=VALUE"));
      }
    }
  }

  void check_hints(const std::string& name) {
    const std::string key = cat("uplink.", name, ".hints_path");
    if (!config_.has(key)) return;
    const std::string path = config_.text(key);
    const bool is_path = path.starts_with('/') && std::ranges::all_of(path, [](unsigned char c) {
                           return c > ' ' && c < 0x7f && c != '#';
                         });
    if (!is_path)
      mistake(key, cat("\"", path, "\" is no path on the server; write it as /fhir/websocket"));
    if (config_.text(beside(key, "kind")) != "fhir")
      mistake(key, "only uplinks of kind fhir are told of changes; remove it");
    if (config_.has(beside(key, "hours")))
      mistake(key, "hints come at any time, and hours says when this uplink is used; keep one");
  }

  /// A request carries one Authorization.
  void check_token(const std::string& key, const std::vector<std::string>& others) {
    if (!config_.has(key)) return;
    for (const std::string& other : others) {
      if (config_.has(other))
        mistake(key, cat(other, " says who we are as well; keep one of the two"));
    }
    const auto token = core::read_secret_file(config_.text(key));
    if (token.ok() && !sync::is_bearer_token(*token))
      mistake(key, "the file holds no token; write it there as one line", false);
  }

  /// What an uplink needs, and what would have no effect, goes by its kind.
  void check_kind(const std::string& name) {
    const std::string uplink = cat("uplink.", name);
    const std::string url = cat(uplink, ".url");
    if (config_.text(cat(uplink, ".kind")) == "dicom") {
      // Its own mistakes are told once.
      if (adapters::dicom::dicom_options(config_).ok())
        take_mistake_of(adapters::dicom::dicom_uplink(config_, name), true);
      return;
    }
    if (config_.text(cat(uplink, ".kind")) == "hl7")
      return take_mistake_of(adapters::hl7::order_uplink(config_, name), true);
    if (!config_.has(url) && !config_.is_faulty(url))
      mistake(url, "is missing; set it (base URL, https://HOST[:PORT]/PATH)");
    refuse(uplink, {"peer", "plain"}, "dicom");
    refuse(uplink, {"order_categories", "order_codes", "order_performers", "order_message"}, "hl7");
    check_resumable(uplink);
  }

  void refuse(const std::string& uplink, std::initializer_list<const char*> keys,
              std::string_view kind) {
    for (const char* last : keys) {
      const std::string key = cat(uplink, ".", last);
      if (config_.has(key)) mistake(key, cat("is for uplinks of kind ", kind, "; remove it"));
    }
  }

  void check_resumable(const std::string& uplink) {
    const std::string url = cat(uplink, ".resumable_url");
    const std::string token = cat(uplink, ".resumable_token_file");
    const bool is_stow = config_.text(cat(uplink, ".kind")) == "stow";
    if (!is_stow) refuse(uplink, {"compress"}, "stow");
    for (const std::string& key : {url, token, cat(uplink, ".resumable_over_mb")}) {
      if (!config_.has(key)) continue;
      if (!is_stow) {
        mistake(key, "is for uplinks of kind stow; remove it");
      } else if (!config_.has(url)) {
        mistake(key, cat("has no effect without ", url, "; set that, or remove it"));
      }
    }
    const bool is_shown = config_.has(token) || config_.has(cat(uplink, ".certificate_file"));
    if (is_stow && config_.has(url) && !is_shown)
      mistake(url, cat("the hub has to know us: set ", token, " or ", uplink, ".certificate_file"));
  }

  /// With a number of eight digits it has to fit DICOM's SH (PS3.5 6.2).
  void check_worklist() {
    constexpr std::size_t kPrefixMax = 8;
    const std::string prefix = config_.text("worklist.accession_prefix");
    const bool is_plain = std::all_of(prefix.begin(), prefix.end(), [](unsigned char c) {
      return c > ' ' && c < 0x7f && c != '\\';
    });
    if (prefix.size() <= kPrefixMax && is_plain) return;
    mistake("worklist.accession_prefix",
            cat("\"", prefix, "\" cannot begin an accession number; use up to ", kPrefixMax,
                " letters and digits"));
  }

  void check_retention() {
    if (!config_.has("retention.free_below_mb")) return;
    const std::int64_t below = config_.integer("retention.free_below_mb");
    const std::int64_t reserve = config_.integer("storage.reserve_mb");
    if (below == 0 || below >= reserve) return;
    mistake("retention.free_below_mb",
            cat(below, " is below storage.reserve_mb (", reserve,
                "), at which nothing is taken in any more: room would be made too late; set more"));
  }

  void check_prefetch() {
    const std::string uplink = config_.text("prefetch.uplink");
    if (!config_.has("prefetch.uplink") || config_.text(cat("uplink.", uplink, ".kind")) == "stow")
      return;
    mistake("prefetch.uplink", cat("there is no [uplink.", uplink,
                                   "] of kind stow, and priors are fetched by DICOMweb only; name "
                                   "one, or remove it"));
  }

  void check_routes() {
    const auto rules = sync::route_rules(config_, sync::image_uplinks(config_));
    take_mistake_of(rules, true);
    const auto dicom = adapters::dicom::dicom_options(config_);
    if (!rules.ok() || !dicom.ok()) return;
    for (const sync::RouteRule& rule : *rules) {
      for (const std::string& title : rule.called_ae_titles) {
        const bool is_pattern = title.find_first_of("*?") != title.npos;
        if (is_pattern || adapters::dicom::answers_to(*dicom, title)) continue;
        mistake(
            cat("dicom.route.", rule.name, ".called_ae_titles"),
            cat("the gateway does not answer to \"", title, "\"; add it to dicom.more_ae_titles"),
            false);
      }
    }
  }

  void check_mqtt() {
    if (config_.is_faulty("mqtt.host")) return;
    if (!config_.has("mqtt.host")) {
      for (const core::ConfigKey& key : keys_) {
        if (key.path.starts_with("mqtt.") && config_.has(key.path)) {
          mistake(key.path, "is set but mqtt.host is not; set mqtt.host or remove the table");
          return;
        }
      }
      return;
    }
    const std::string host = config_.text("mqtt.host");
    const auto url = core::net::parse_url(
        cat("https://", host.find(':') == host.npos ? host : cat('[', host, ']')));
    if (!url.ok() || !url->base.empty()) {
      mistake("mqtt.host", cat("\"", host,
                               "\" is no host name or address; the port goes to "
                               "mqtt.port"));
    } else if (config_.boolean("mqtt.plain") && !url->loopback()) {
      mistake("mqtt.plain", "true is for a broker on this machine only; use TLS");
    }
    check_pair("mqtt.certificate_file", "mqtt.key_file");
    check_pair("mqtt.key_file", "mqtt.certificate_file");
    check_pair("mqtt.password_file", "mqtt.username");
    check_pair("mqtt.proxy_password_file", "mqtt.proxy_username");
    check_pair("mqtt.proxy_username", "mqtt.proxy");
    const std::string prefix = config_.text("mqtt.topic_prefix");
    if (prefix.empty() || prefix.find_first_of("+#") != prefix.npos || prefix.starts_with('/') ||
        prefix.ends_with('/')) {
      mistake("mqtt.topic_prefix", "must be a topic without +, # and a / at its ends");
    }
    check_sparkplug();
  }

  void check_sparkplug() {
    const std::string group = config_.text("mqtt.sparkplug_group");
    const bool is_level = !group.empty() && std::none_of(group.begin(), group.end(), [](char c) {
      return c == '+' || c == '#' || c == '/';
    });
    if (!is_level)
      mistake("mqtt.sparkplug_group",
              cat("\"", group, "\" is no group id; use one without +, # and /"));
    if (config_.has("mqtt.sparkplug_group") && config_.text("mqtt.encoding") != "sparkplug-b" &&
        !config_.is_faulty("mqtt.encoding")) {
      mistake("mqtt.sparkplug_group",
              "has no effect with mqtt.encoding = \"json\"; set \"sparkplug-b\" or remove it");
    }
  }

  void check_commands() {
    for (const std::string& kind : config_.texts("commands.allowed")) {
      if (command_kinds().contains(kind)) continue;
      mistake("commands.allowed",
              cat("\"", kind, "\" is no kind of command; see clinic-gateway.toml(5)"));
    }
    for (const std::string& name : config_.names("commands.key")) {
      const std::string key = cat("commands.key.", name, ".public_key_file");
      const auto pem = core::read_whole_file(core::system_files(), config_.text(key), kPemMax);
      if (!pem.ok()) continue;  // check_text() says so
      if (const auto read = crypto::read_verifying_key(*pem); !read.ok())
        mistake(key, read.error().message());
    }
    if (!config_.has("commands.allowed")) return;
    if (!config_.has("mqtt.host") && !config_.is_faulty("mqtt.host"))
      mistake("commands.allowed", "commands come over MQTT; set mqtt.host too");
    if (config_.names("commands.key").empty())
      mistake("commands.allowed",
              "nobody could sign a command; set commands.key.NAME.public_key_file too");
  }

  void check_devices() {
    take_mistake_of(adapters::hl7::hl7_devices(config_), true);
    const auto astm = adapters::frame::read_devices(config_, "astm");
    take_mistake_of(astm, true);
    // A profile that is not there may come back.
    if (astm.ok())
      take_mistake_of(adapters::astm::astm_devices(config_, core::system_files()), false);
    const auto poct1a = adapters::frame::read_devices(config_, "poct1a");
    take_mistake_of(poct1a, true);
    if (poct1a.ok())
      take_mistake_of(adapters::poct1a::poct1a_devices(config_, core::system_files()), false);
    const auto folders = adapters::frame::read_devices(config_, "folder");
    take_mistake_of(folders, true);
    if (folders.ok())
      take_mistake_of(adapters::filedrop::folder_devices(config_, core::system_files()), false);
    const auto speaking = adapters::frame::read_devices(config_, "mqtt");
    take_mistake_of(speaking, true);
    if (speaking.ok())
      take_mistake_of(adapters::mqtt::brokers(config_, core::system_files()), false);
    const auto programs = adapters::frame::read_devices(config_, "socket");
    take_mistake_of(programs, true);
    if (programs.ok())
      take_mistake_of(adapters::thirdparty::socket_devices(config_, core::system_files()), false);
  }

  void check_power() {
    if (!config_.has("power.ups")) return;
    const auto ups = parse_ups(config_.text("power.ups"));
    if (!ups.ok()) mistake("power.ups", ups.error().message());
  }

  /// What only an adapter knows to be wrong: "PLACE: KEY: what".
  template <class Options>
  void take_mistake_of(const core::Result<Options>& options, bool fatal) {
    if (options.ok()) return;
    const std::string& text = options.error().message();
    const auto key = text.find(": ") + 2;
    const auto what = text.find(": ", key) + 2;
    mistakes_.push_back(
        {text.substr(0, key - 2), text.substr(key, what - key - 2), text.substr(what), fatal});
  }

  void check_pair(const std::string& with, const std::string& needed) {
    if (config_.has(with) && !config_.has(needed) && !config_.is_faulty(needed)) {
      mistake(with, cat("needs ", needed, "; set it too"));
    }
  }

  const core::Config& config_;
  const std::vector<core::ConfigKey>& keys_;
  std::vector<Mistake> mistakes_;
};

}  // namespace

std::string Mistake::line() const { return cat(where, ": ", key, ": ", what); }

std::vector<Mistake> check_config(const core::Config& config,
                                  const std::vector<core::ConfigKey>& keys) {
  return Checker(config, keys).run();
}

bool is_time_zone(const std::string& name) {
  const bool safe = !name.empty() && name.find("..") == name.npos && name.front() != '/' &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::isalnum(c) || c == '/' || c == '_' || c == '-' || c == '+';
                    });
  if (!safe) return false;
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  char magic[4] = {};
  return file.read(magic, sizeof magic) && std::string_view(magic, 4) == "TZif";
}

}  // namespace gateway::daemon
