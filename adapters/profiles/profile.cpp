#include "adapters/profiles/profile.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

#include "core/text.h"
#include "crypto/digest.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Config;
using core::ConfigKey;
using core::KeyType;

constexpr std::size_t kFileBytesMax = 1U << 20;

/// Of every profile.
std::vector<ConfigKey> common_keys() {
  return {
      {.path = "id", .meaning = "the folder's name", .required = true},
      {.path = "revision",
       .type = KeyType::integer,
       .meaning = "grows with every change of meaning",
       .required = true,
       .minimum = 1},
      {.path = "device", .meaning = "maker and model", .required = true},
      {.path = "protocol",
       .meaning = "what it speaks",
       .required = true,
       .choices = {"astm", "folder", "mqtt", "hl7"}},
      {.path = "run_failures",
       .type = KeyType::text_list,
       .meaning = "values that mean no result; what ends in ... begins so"},
      {.path = "decimal_separator",
       .meaning = "of numbers",
       .default_text = "\".\"",
       .choices = {".", ","}},
  };
}

std::vector<ConfigKey> astm_keys() {
  return {
      {.path = "checksum",
       .meaning = "how a frame's check characters are made",
       .default_text = "\"standard\"",
       .choices = {"standard", "without-end", "with-start", "not-verified"}},
      {.path = "frame_bytes_max",
       .type = KeyType::integer,
       .meaning = "text of the largest frame the device takes",
       .default_text = "240",
       .minimum = 7,
       .maximum = 63'993},
      {.path = "code_components",
       .type = KeyType::text_list,
       .meaning = "components of the test id that make the code; default: the first with a value"},
      {.path = "specimen_id",
       .type = KeyType::text_list,
       .meaning = "where the specimen's id stands; empty: only the device's own numbers are sent"},
      {.path = "patient_id",
       .type = KeyType::text_list,
       .meaning = "where the patient's id stands"},
      {.path = "qc", .type = KeyType::text_list, .meaning = "tests that tell a control"},
      {.path = "serial", .type = KeyType::text_list, .meaning = "where the device's serial stands"},
      {.path = "interpretation",
       .meaning = "where the abnormal flag stands",
       .default_text = "\"R-7\""},
  };
}

void append(std::vector<ConfigKey>& keys, std::vector<ConfigKey> more) {
  for (ConfigKey& key : more) keys.push_back(std::move(key));
}

/// A key of another protocol is as wrong as one nobody knows.
core::Result<Config> parse_profile(const std::string& text, const std::string& file) {
  std::vector<ConfigKey> all = common_keys();
  append(all, astm_keys());
  append(all, field_keys());
  append(all, topic_keys());
  append(all, sampling_keys());
  GW_TRY(const Config any, Config::parse(text, file, all));
  std::vector<ConfigKey> own = common_keys();
  const std::string protocol = any.text("protocol");
  append(own, protocol == "astm"  ? astm_keys()
              : protocol == "hl7" ? sampling_keys()
                                  : field_keys());
  if (protocol == "mqtt") append(own, topic_keys());
  return Config::parse(text, file, own);
}

/// A number from `text`, which is cut off it; 0: none.
std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

core::Result<Place> parse_place(std::string_view text) {
  const core::Error wrong(core::Code::invalid,
                          cat("\"", text, "\" is no place; write one like O-3 or O-4.1"));
  Place place;
  if (text.size() < 3 || text[0] < 'A' || text[0] > 'Z' || text[1] != '-') return wrong;
  place.record = text[0];
  text.remove_prefix(2);
  place.field = take_number(text);
  if (place.field == 0) return wrong;
  if (text.empty()) return place;
  if (text[0] != '.') return wrong;
  text.remove_prefix(1);
  place.component = take_number(text);
  if (place.component == 0 || !text.empty()) return wrong;
  return place;
}

core::Result<FieldTest> parse_test(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos)
    return core::Error(core::Code::invalid,
                       cat("\"", text, "\" is no test; write one like O-12=Q"));
  FieldTest test;
  GW_TRY(test.place, parse_place(core::trim(text.substr(0, equals))));
  test.pattern = core::trim(text.substr(equals + 1));
  return test;
}

core::Result<FieldRule> parse_rule(std::string_view text) {
  constexpr std::string_view kWhen = " when ";
  const auto when = text.find(kWhen);
  FieldRule rule;
  GW_TRY(rule.place, parse_place(core::trim(text.substr(0, when))));
  if (when == std::string_view::npos) return rule;
  GW_TRY(FieldTest test, parse_test(text.substr(when + kWhen.size())));
  rule.when.push_back(std::move(test));
  return rule;
}

template <class Value, class Parse>
core::Status read_list(const Config& config, const char* key, const Parse& parse,
                       std::vector<Value>& out) {
  for (const std::string& text : config.texts(key)) {
    auto parsed = parse(text);
    if (!parsed.ok()) {
      return core::Error(core::Code::invalid,
                         cat(config.where(key), ": ", key, ": ", parsed.error().message()));
    }
    out.push_back(std::move(*parsed));
  }
  return {};
}

core::Result<std::size_t> parse_component(std::string_view text) {
  const std::string_view sent = text;
  const std::size_t number = take_number(text);
  if (number == 0 || !text.empty())
    return core::Error(core::Code::invalid, cat("\"", sent, "\" is no component's number"));
  return number;
}

Checksum checksum_named(std::string_view name) {
  if (name == "without-end") return Checksum::without_end;
  if (name == "with-start") return Checksum::with_start;
  if (name == "not-verified") return Checksum::not_verified;
  return Checksum::standard;
}

core::Result<Profile> read_profile(const Config& config) {
  Profile profile;
  profile.id = config.text("id");
  profile.device = config.text("device");
  profile.protocol = config.text("protocol");
  profile.run_failures = config.texts("run_failures");
  profile.decimal_separator = config.text("decimal_separator")[0];
  if (profile.protocol == "hl7") {
    GW_TRY(profile.sampling, read_sampling(config));
    return profile;
  }
  if (profile.protocol != "astm") {
    GW_TRY(profile.fields, read_field_map(config));
    if (profile.protocol == "mqtt") {
      GW_CHECK(read_topic(config, profile.fields));
    }
    return profile;
  }
  profile.checksum = checksum_named(config.text("checksum"));
  profile.frame_bytes_max = static_cast<std::size_t>(config.integer("frame_bytes_max"));
  GW_CHECK(read_list(config, "code_components", parse_component, profile.code_components));
  GW_CHECK(read_list(config, "specimen_id", parse_rule, profile.specimen_id));
  GW_CHECK(read_list(config, "patient_id", parse_rule, profile.patient_id));
  GW_CHECK(read_list(config, "qc", parse_test, profile.qc));
  GW_CHECK(read_list(config, "serial", parse_rule, profile.serial));
  GW_TRY(profile.interpretation, parse_place(config.text("interpretation")));
  return profile;
}

core::Result<std::vector<std::string>> folders_in(core::Files& files, const std::string& folder) {
  GW_TRY(const bool is_there, files.exists(folder));
  if (!is_there) return std::vector<std::string>();
  return files.list(folder);
}

}  // namespace

bool matches_pattern(std::string_view text, std::string_view pattern) {
  constexpr std::string_view kAny = "...";
  if (!pattern.ends_with(kAny)) return text == pattern;
  return text.starts_with(pattern.substr(0, pattern.size() - kAny.size()));
}

bool Profile::is_run_failure(std::string_view value) const {
  return std::any_of(run_failures.begin(), run_failures.end(),
                     [&](const std::string& one) { return matches_pattern(value, one); });
}

Shelf shelf_of(const Config& config) {
  return {config.text("profiles.shipped_dir"), config.text("profiles.site_dir")};
}

core::Result<Profile> profile_of_device(const Config& config, core::Files& files,
                                        const std::string& device, std::string_view protocol) {
  const std::string key = cat("device.", device, ".profile");
  const auto wrong = [&](std::string_view what) {
    return core::Error(core::Code::invalid, cat(config.where(key), ": ", key, ": ", what));
  };
  auto folder = profile_folder(files, shelf_of(config), config.text(key));
  if (!folder.ok()) return wrong(folder.error().message());
  auto profile = load_profile(files, *folder);
  if (!profile.ok()) return wrong(profile.error().message());
  if (profile->protocol != protocol)
    return wrong(cat("is for devices that speak ", profile->protocol));
  return profile;
}

core::Result<std::vector<std::string>> profile_ids(core::Files& files, const Shelf& shelf) {
  std::set<std::string> ids;
  for (const std::string& folder : {shelf.shipped, shelf.site}) {
    GW_TRY(const auto names, folders_in(files, folder));
    for (const std::string& name : names) {
      GW_TRY(const bool is_profile, files.exists(cat(folder, '/', name, "/profile.toml")));
      if (is_profile) ids.insert(name);
    }
  }
  return std::vector<std::string>(ids.begin(), ids.end());
}

core::Result<std::string> profile_folder(core::Files& files, const Shelf& shelf,
                                         const std::string& id) {
  const bool is_name = !id.empty() && id.find('/') == std::string::npos && id[0] != '.';
  for (const std::string& folder : {shelf.site, shelf.shipped}) {
    std::string path = cat(folder, '/', id);
    if (!is_name || folder.empty()) break;
    GW_TRY(const bool is_there, files.exists(path + "/profile.toml"));
    if (is_there) return path;
  }
  return core::Error(core::Code::not_found,
                     cat("there is no profile \"", id, "\" in ", shelf.site, " or ", shelf.shipped,
                         "; clinic-gateway devices profiles lists those that are"));
}

core::Result<Profile> load_profile(core::Files& files, const std::string& folder) {
  const std::string file = folder + "/profile.toml";
  GW_TRY(const std::string text, core::read_whole_file(files, file, kFileBytesMax));
  GW_TRY(const std::string csv, core::read_whole_file(files, folder + "/codes.csv", kFileBytesMax));
  GW_TRY(const Config config, parse_profile(text, file));
  GW_TRY(Profile profile, read_profile(config));
  if (profile.id != folder.substr(folder.rfind('/') + 1))
    return core::Error(core::Code::invalid, cat(file, ": id: must be the folder's name"));
  auto codes = CodeMap::parse(csv);
  if (!codes.ok()) return std::move(codes).error().with_context(folder);
  profile.codes = std::move(*codes);
  const std::string both = cat(text, '\0', csv);
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(both)));
  const std::string_view first(reinterpret_cast<const char*>(digest.data()), 4);
  profile.revision = cat(config.integer("revision"), '+', core::to_hex(first));
  return profile;
}

}  // namespace gateway::adapters::profiles
