#include "sync/options.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/net/url.h"
#include "core/text.h"
#include "sync/backend_services.h"
#include "sync/bearer_client.h"
#include "sync/fhir_uplink.h"
#include "sync/merge_options.h"
#include "sync/prefetch_options.h"
#include "sync/prepared_uplink.h"
#include "sync/resumable_options.h"
#include "sync/routes.h"
#include "sync/stow_uplink.h"

namespace gateway::sync {
namespace {

using core::ConfigKey;
using core::KeyType;

std::string kind_of(const core::Config& config, const std::string& uplink) {
  return config.text(core::cat("uplink.", uplink, ".kind"));
}

std::vector<std::string> uplinks_of_kind(const core::Config& config,
                                         std::initializer_list<std::string_view> kinds) {
  std::vector<std::string> names;
  for (const std::string& name : config.names("uplink")) {
    if (std::ranges::find(kinds, kind_of(config, name)) != kinds.end()) names.push_back(name);
  }
  return names;
}

core::Status read_password(const core::Config& config, const std::string& key,
                           std::string& password) {
  const std::string path = config.text(key);
  if (path.empty()) return {};
  auto read = core::read_secret_file(path);
  if (!read.ok()) {
    return std::move(read).error().with_context(core::cat(config.where(key), ": ", key));
  }
  password = std::move(*read);
  return {};
}

using ClientResult = core::Result<std::shared_ptr<core::net::HttpClient>>;

ClientResult connect(boost::asio::any_io_executor loop, const core::Config& config,
                     const std::string& key, core::net::HttpClientOptions options) {
  auto client = core::net::HttpClient::create(std::move(loop), std::move(options));
  if (client.ok()) return client;
  return std::move(client).error().with_context(core::cat(config.where(key), ": ", key));
}

/// `server` behind the tokens that uplink.NAME.token_url gives.
ClientResult behind_tokens(boost::asio::any_io_executor loop, const core::Config& config,
                           const core::Clock& clock, const std::string& name,
                           std::shared_ptr<core::net::HttpClient> server) {
  const auto key = [&](std::string_view last) { return core::cat("uplink.", name, ".", last); };
  const auto text = [&](std::string_view last) { return config.text(key(last)); };
  for (const char* needed : {"client_id", "client_key_file", "client_key_id"}) {
    if (!text(needed).empty()) continue;
    return core::Error(core::Code::invalid,
                       core::cat(config.where(key("token_url")), ": ", key("token_url"),
                                 " is set but ", key(needed), " is not; set it"));
  }
  const auto at_key_file = [&](core::Error error) {
    return std::move(error).with_context(
        core::cat(config.where(key("client_key_file")), ": ", key("client_key_file")));
  };
  auto pem = core::read_secret_file(text("client_key_file"));
  if (!pem.ok()) return at_key_file(std::move(pem).error());
  auto signer = crypto::JoseKey::read(*pem);
  if (!signer.ok()) return at_key_file(std::move(signer).error());
  GW_TRY(auto options, uplink_client_options(config, name));
  GW_TRY(const auto url, core::net::parse_url(text("token_url")));
  options.url = core::cat(url.tls ? "https://" : "http://", url.peer());
  options.username.clear();
  GW_TRY(auto token_server, connect(loop, config, key("token_url"), std::move(options)));
  return with_backend_services(
      loop, std::move(server), std::move(token_server),
      {text("token_url"), text("client_id"), text("client_key_id"), text("scope")},
      std::move(*signer), clock);
}

/// `server` behind the token in uplink.NAME.token_file.
ClientResult behind_token(const core::Config& config, const std::string& name,
                          std::shared_ptr<core::net::HttpClient> server) {
  const std::string key = core::cat("uplink.", name, ".token_file");
  std::string token;
  GW_CHECK(read_password(config, key, token));
  if (!is_bearer_token(token)) {
    return core::Error(core::Code::invalid,
                       core::cat(config.where(key), ": ", key,
                                 ": the file holds no token; write it there as one line"));
  }
  return with_bearer(std::move(server), token);
}

ClientResult make_client(boost::asio::any_io_executor loop, const core::Config& config,
                         const core::Clock& clock, const std::string& name,
                         const UplinkLimits& limits) {
  GW_TRY(auto options, uplink_client_options(config, name));
  // Deliveries do not wait for each other, nor for a page that is read meanwhile.
  const std::size_t deliveries = std::max(limits.deliveries_in_flight, limits.deliveries_most);
  options.connections_max = std::max(options.connections_max, deliveries + 1);
  const bool takes_tokens = !config.text(core::cat("uplink.", name, ".token_url")).empty();
  const bool has_token = !config.text(core::cat("uplink.", name, ".token_file")).empty();
  if (takes_tokens || has_token) options.username.clear();  // one Authorization at a time
  GW_TRY(auto server,
         connect(loop, config, core::cat("uplink.", name, ".url"), std::move(options)));
  if (has_token) return behind_token(config, name, std::move(server));
  if (!takes_tokens) return server;
  return behind_tokens(loop, config, clock, name, std::move(server));
}

core::Result<UplinkHours> hours_of(const core::Config& config, const std::string& name) {
  const std::string key = core::cat("uplink.", name, ".hours");
  if (!config.has(key)) return UplinkHours();
  return UplinkHours::parse(config.texts(key), config.text("site.timezone"));
}

UplinkPlan plan_uplink(boost::asio::any_io_executor loop, std::shared_ptr<Holdings> holdings,
                       const core::Config& config, const core::Clock& clock,
                       const std::map<std::string, UplinkMaker>& makers, const std::string& name) {
  const auto client = [loop, &config, &clock, name](const UplinkLimits& limits) {
    return make_client(loop, config, clock, name, limits);
  };
  const std::string kind = kind_of(config, name);
  // The check of the configuration has told what is wrong with them.
  const auto read = hours_of(config, name);
  const UplinkHours hours = read.ok() ? *read : UplinkHours();
  if (const auto maker = makers.find(kind); maker != makers.end()) {
    UplinkLimits limits = maker->second.limits;
    limits.hours = hours;
    return {name, kind, std::move(limits),
            [build = maker->second.build, name] { return build(name); }};
  }
  if (kind == "stow") {
    UplinkLimits limits = stow_uplink_limits();
    limits.hours = hours;
    auto build = [=, &config, &clock]() -> core::Result<std::unique_ptr<Uplink>> {
      GW_TRY(auto made, client(stow_uplink_limits()));
      GW_TRY(auto resumable, make_resumable_sender(loop, holdings, config, clock, name));
      const bool compresses = config.boolean(core::cat("uplink.", name, ".compress"));
      return make_stow_uplink(name, std::move(made), holdings, {std::move(resumable), compresses});
    };
    return {name, kind, std::move(limits), std::move(build)};
  }
  FhirUplinkOptions fhir{
      name, core::Milliseconds(config.integer(core::cat("uplink.", name, ".poll_s")) * 1'000),
      config.texts(core::cat("uplink.", name, ".pull"))};
  fhir.hints_path = config.text(core::cat("uplink.", name, ".hints_path"));
  // Wrong choices never get here: the keys name the right ones.
  if (auto policy = merge_policy(config); policy.ok()) fhir.policy = std::move(*policy);
  auto build = [=, &clock]() -> core::Result<std::unique_ptr<Uplink>> {
    GW_TRY(auto made, client(fhir_uplink_limits(fhir)));
    return make_fhir_uplink(fhir, std::move(made), holdings, clock);
  };
  UplinkLimits limits = fhir_uplink_limits(fhir);
  limits.hours = hours;
  return {name, kind, std::move(limits), std::move(build)};
}

}  // namespace

core::Result<core::net::HttpClientOptions> uplink_client_options(const core::Config& config,
                                                                 const std::string& name) {
  const auto key = [&](std::string_view last) { return core::cat("uplink.", name, ".", last); };
  core::net::HttpClientOptions options;
  options.url = config.text(key("url"));
  options.ca_file = config.text(key("ca_file"));
  options.certificate_file = config.text(key("certificate_file"));
  options.key_file = config.text(key("key_file"));
  options.username = config.text(key("username"));
  options.proxy = config.text(key("proxy"));
  options.proxy_username = config.text(key("proxy_username"));
  options.send_bytes_per_second =
      static_cast<std::uint64_t>(config.integer(key("send_kbit_per_s"))) * 1'000 / 8;
  options.idle_timeout = core::Milliseconds(config.integer(key("idle_timeout_s")) * 1'000);
  GW_CHECK(read_password(config, key("password_file"), options.password));
  GW_CHECK(read_password(config, key("proxy_password_file"), options.proxy_password));
  return options;
}

std::vector<ConfigKey> sync_config_keys() {
  std::vector<ConfigKey> keys;
  const auto add = [&](ConfigKey key) { keys.push_back(std::move(key)); };
  add({.path = "uplink.*.kind",
       .meaning = "what stands at the other end",
       .required = true,
       .choices = {"fhir", "stow", "dicom", "hl7"}});
  add({.path = "uplink.*.url",
       .meaning = "fhir and stow: base URL, https://HOST[:PORT]/PATH; hl7: mllps://HOST:PORT"});
  add({.path = "uplink.*.peer",
       .meaning =
           "dicom: NAME of the [dicom.peer.NAME] that images are sent to by C-STORE, and that "
           "is asked for storage commitment"});
  add({.path = "uplink.*.plain",
       .type = KeyType::boolean,
       .meaning = "dicom and hl7: what is sent goes there without TLS, over a network that is "
                  "protected otherwise",
       .default_text = "false"});
  add({.path = "uplink.*.order_categories",
       .type = KeyType::text_list,
       .meaning = "hl7: orders of one of these categories go there, CODE, SYSTEM|CODE or SYSTEM|; "
                  "none: of any"});
  add({.path = "uplink.*.order_codes",
       .type = KeyType::text_list,
       .meaning = "hl7: orders of one of these codes; none: of any"});
  add({.path = "uplink.*.order_performers",
       .type = KeyType::text_list,
       .meaning = "hl7: orders to one of these performers, TYPE/ID, or the same of an identifier; "
                  "none: to any"});
  add({.path = "uplink.*.order_message",
       .meaning = "hl7: what an order is sent as, OML^O21 or ORM^O01",
       .default_text = "\"oml\"",
       .choices = {"oml", "orm"}});
  add({.path = "uplink.*.ca_file",
       .meaning = "PEM file of the certificate authority to trust; without it the system's"});
  add({.path = "uplink.*.certificate_file", .meaning = "PEM file of our client certificate"});
  add({.path = "uplink.*.key_file", .meaning = "PEM file of its key"});
  add({.path = "uplink.*.username", .meaning = "user name for Basic authentication"});
  add({.path = "uplink.*.password_file", .meaning = "file that holds the password"});
  add({.path = "uplink.*.token_file",
       .meaning =
           "file that holds a token that is sent with every request (Authorization: Bearer), "
           "in place of a user name"});
  add({.path = "uplink.*.proxy",
       .meaning = "HTTP proxy that is asked for a tunnel to it (CONNECT), http://HOST:PORT"});
  add({.path = "uplink.*.proxy_username",
       .meaning = "user name for Basic authentication at the proxy"});
  add({.path = "uplink.*.proxy_password_file", .meaning = "file that holds that password"});
  add({.path = "uplink.*.send_kbit_per_s",
       .type = KeyType::integer,
       .meaning = "kilobits a second that are sent at most; 0: as fast as it goes",
       .default_text = "0",
       .minimum = 0,
       .maximum = 10'000'000});
  add({.path = "uplink.*.compress",
       .type = KeyType::boolean,
       .meaning = "stow: images go as JPEG-LS without loss where that is a tenth smaller or more, "
                  "each decoded and compared before; what goes to resumable_url goes as it is",
       .default_text = "false"});
  add({.path = "uplink.*.hours",
       .type = KeyType::text_list,
       .meaning =
           "fhir, stow and dicom: times of day, by site.timezone, in which it is used, such as "
           "[\"22:00-06:00\"]; outside of them only what is stat goes out and nothing is "
           "pulled; without it always"});
  add({.path = "uplink.*.token_url",
       .meaning =
           "SMART Backend Services: where access tokens are given, https://HOST[:PORT]/PATH"});
  add({.path = "uplink.*.client_id", .meaning = "what we are registered as at the token server"});
  add({.path = "uplink.*.client_key_file",
       .meaning = "PEM file of the private key registered there: P-384 (ES384) or RSA (RS384)"});
  add({.path = "uplink.*.client_key_id", .meaning = "the key's kid there"});
  add({.path = "uplink.*.scope",
       .meaning = "what the token is to allow",
       .default_text = R"("system/*.cruds")"});
  add({.path = "uplink.*.idle_timeout_s",
       .type = KeyType::integer,
       .meaning = "seconds without a byte after which a connection is given up",
       .default_text = "60",
       .minimum = 5,
       .maximum = 3600});
  add({.path = "uplink.*.poll_s",
       .type = KeyType::integer,
       .meaning = "fhir: seconds between two pulls",
       .default_text = "15",
       .minimum = 1,
       .maximum = 86'400});
  add({.path = "uplink.*.pull",
       .type = KeyType::text_list,
       .meaning = "fhir: searches that say which resources the clinic holds; do not filter by what "
                  "changes, such as status",
       .default_text = R"(["Patient", "ServiceRequest"])"});
  add({.path = "uplink.*.hints_path",
       .meaning = "fhir: path on the same server, such as /fhir/websocket, at which it says by "
                  "WebSocket that something changed (R4 Subscriptions, which are made there); what "
                  "changed is then pulled at once. Without it pulls wait for poll_s"});
  add({.path = "imaging.study_quiet_s",
       .type = KeyType::integer,
       .meaning = "seconds without a new instance after which a study's ImagingStudy is sent",
       .default_text = "5",
       .minimum = 0,
       .maximum = 3600});
  add({.path = "retention.keep_days",
       .type = KeyType::integer,
       .meaning = "days after which a study's images leave this gateway, once every PACS has shown "
                  "that it has them; 0: age alone removes nothing",
       .default_text = "0",
       .minimum = 0,
       .maximum = 36'500});
  add({.path = "retention.free_below_mb",
       .type = KeyType::integer,
       .meaning = "free disk space, in MB, below which the oldest images that every PACS has shown "
                  "to have leave this gateway; 0: never; without it 4096, on a small disk 5 % of "
                  "it, at least one and a half times storage.reserve_mb",
       .minimum = 0,
       .maximum = 1 << 26});
  add({.path = "retention.free_until_mb",
       .type = KeyType::integer,
       .meaning = "free disk space, in MB, at which that ends; without it twice "
                  "retention.free_below_mb",
       .minimum = 0,
       .maximum = 1 << 26});
  add({.path = "retention.raw_message_days",
       .type = KeyType::integer,
       .meaning = "days after which the bytes of a device's message leave this gateway, once its "
                  "results are released and delivered; what became of it stays; 0: never",
       .default_text = "90",
       .minimum = 0,
       .maximum = 36'500});
  add({.path = "retention.sample_days",
       .type = KeyType::integer,
       .meaning = "days for which values of monitors stay here that are not sent on",
       .default_text = "7",
       .minimum = 1,
       .maximum = 3'650});
  add({.path = "scrub.rate_mb_s",
       .type = KeyType::integer,
       .meaning = "MB per second at which stored objects are read to find damage; 0: not at all",
       .default_text = "8",
       .minimum = 0,
       .maximum = 10'000});
  add({.path = "scrub.every_days",
       .type = KeyType::integer,
       .meaning = "days from the beginning of one such round to the next",
       .default_text = "7",
       .minimum = 1,
       .maximum = 365});
  add({.path = "worklist.default_modality",
       .meaning = "DICOM modality of orders that name none",
       .default_text = R"("OT")"});
  add({.path = "worklist.default_station_ae",
       .meaning = "scheduled station AE title of every order"});
  add({.path = "worklist.accession_prefix",
       .meaning = "beginning of accession numbers made here, where the HIS gives none",
       .default_text = R"("GW")"});
  for (ConfigKey& key : prefetch_config_keys()) add(std::move(key));
  for (ConfigKey& key : resumable_config_keys()) add(std::move(key));
  for (ConfigKey& key : route_config_keys()) add(std::move(key));
  for (ConfigKey& key : merge_config_keys()) add(std::move(key));
  return keys;
}

std::vector<std::string> image_uplinks(const core::Config& config) {
  return uplinks_of_kind(config, {"stow", "dicom"});
}

std::vector<std::string> dicom_uplinks(const core::Config& config) {
  return uplinks_of_kind(config, {"dicom"});
}

HoldingsOptions holdings_options(const core::Config& config) {
  HoldingsOptions options;
  options.state_folder = config.text("storage.state_dir");
  options.backup_folder = config.text("backup.dir");
  options.reserve_bytes = static_cast<std::uint64_t>(config.integer("storage.reserve_mb")) << 20;
  options.study_quiet = core::Milliseconds(config.integer("imaging.study_quiet_s") * 1'000);
  options.ingest.patient_id_issuer = config.text("dicom.patient_id_issuer");
  options.ingest.image_uplinks = image_uplinks(config);
  // With a mistake in them DICOM is not served; what is here already goes its usual way.
  if (auto rules = route_rules(config, options.ingest.image_uplinks); rules.ok())
    options.ingest.routes = std::move(*rules);
  options.ingest.fhir_uplinks = uplinks_of_kind(config, {"fhir"});
  options.worklist.patient_id_issuer = options.ingest.patient_id_issuer;
  options.worklist.time_zone = config.text("site.timezone");
  options.ingest.time_zone = options.worklist.time_zone;
  options.worklist.default_modality = config.text("worklist.default_modality");
  options.worklist.default_station_ae = config.text("worklist.default_station_ae");
  options.worklist.accession_prefix = config.text("worklist.accession_prefix");
  return options;
}

UpkeepOptions upkeep_options(const core::Config& config) {
  UpkeepOptions options;
  const auto megabytes = [&](const char* key) {
    return static_cast<std::uint64_t>(config.integer(key)) << 20;
  };
  if (const auto days = config.integer("retention.keep_days"); days > 0)
    options.retention.keep = std::chrono::hours(24 * days);
  if (const auto days = config.integer("retention.raw_message_days"); days > 0)
    options.keep_raw_messages = std::chrono::hours(24 * days);
  options.keep_samples = std::chrono::hours(24 * config.integer("retention.sample_days"));
  std::error_code unknown;
  const auto disk = std::filesystem::space(config.text("storage.state_dir"), unknown);
  const RetentionPolicy usual =
      usual_marks(unknown ? UINT64_MAX : disk.capacity, megabytes("storage.reserve_mb"));
  std::uint64_t& below = options.retention.free_below_bytes;
  std::uint64_t& until = options.retention.free_until_bytes;
  below = config.has("retention.free_below_mb") ? megabytes("retention.free_below_mb")
                                                : usual.free_below_bytes;
  until = config.has("retention.free_until_mb") ? megabytes("retention.free_until_mb") : 2 * below;
  until = std::max(below, until);
  options.prefetch = prefetch_options(config);
  // The check of the configuration has told what is wrong with them.
  const auto hours = hours_of(config, options.prefetch.uplink);
  if (hours.ok()) options.prefetch.hours = *hours;
  options.scrub_bytes_per_s = megabytes("scrub.rate_mb_s");
  options.scrub_round_every = std::chrono::hours(24 * config.integer("scrub.every_days"));
  options.commitment = config.text("dicom.commitment") == "stored" ? CommitmentRule::stored
                                                                   : CommitmentRule::second_copy;
  for (const std::string& name : dicom_uplinks(config)) options.committing_uplinks.insert(name);
  options.connect = [&config](boost::asio::any_io_executor loop,
                              const std::string& uplink) -> ClientResult {
    if (kind_of(config, uplink) == "dicom")
      return core::Error(core::Code::invalid, "nothing is fetched from a PACS reached by C-STORE");
    return make_client(std::move(loop), config, core::system_clock(), uplink, {});
  };
  return options;
}

std::vector<std::unique_ptr<Uplink>> make_uplinks(
    boost::asio::any_io_executor loop, std::shared_ptr<Holdings> holdings,
    const core::Config& config, const core::Clock& clock,
    const std::map<std::string, UplinkMaker>& makers) {
  std::vector<std::unique_ptr<Uplink>> uplinks;
  for (const std::string& name : config.names("uplink")) {
    uplinks.push_back(
        make_prepared_uplink(plan_uplink(loop, holdings, config, clock, makers, name)));
  }
  return uplinks;
}

}  // namespace gateway::sync
