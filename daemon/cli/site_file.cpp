#include "daemon/cli/site_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "daemon/config_paths.h"
#include "daemon/settings.h"

namespace gateway::cli {
namespace {

namespace fs = std::filesystem;
using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::KeyType;

constexpr char kName[] = "setup.toml";
constexpr char kHead[] =
    "# Made by clinic-gateway setup, which changes it. What belongs to nobody's setup goes into a\n"
    "# file of its own beside this one.\n";
constexpr mode_t kReadable = 0644;
constexpr auto kReadableFolder = fs::perms(0755);

/// Gone with all that is in it when it goes out of scope.
class ScratchFolder {
 public:
  static core::Result<ScratchFolder> create() {
    std::error_code failed;
    const fs::path parent = fs::temp_directory_path(failed);
    std::string name = (parent / "clinic-gateway-XXXXXX").string();
    if (!failed && ::mkdtemp(name.data())) return ScratchFolder(name);
    return Error(Code::io, cat("no folder can be made in ", parent.string(), "; see TMPDIR"));
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}

  fs::path path_;
};

std::string literal_of(const core::Config& config, const std::string& path, KeyType type) {
  if (type == KeyType::integer) return cat(config.integer(path));
  if (type == KeyType::boolean) return cat(config.boolean(path));
  // A JSON text is a TOML text.
  if (type == KeyType::text) return Json(config.text(path)).dump();
  Json list = Json::array();
  for (const std::string& text : config.texts(path)) list.add(text);
  return list.dump();
}

/// As TOML writes it: what is not of a bare key's letters is quoted.
std::string dotted(const std::string& key) {
  std::string out;
  for (std::size_t at = 0; at <= key.size();) {
    const auto end = std::min(key.find('.', at), key.size());
    const std::string part = key.substr(at, end - at);
    const bool is_bare = std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
    out += cat(out.empty() ? "" : ".", is_bare ? part : Json(part).dump());
    at = end + 1;
  }
  return out;
}

core::Status copied(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::copy_file(from, to, failed);
  if (!failed) return {};
  return Error(Code::io, cat(from.string(), ": ", failed.message()));
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

Error mistakes(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += cat(text.empty() ? "" : "\n", line);
  return {Code::invalid, text};
}

}  // namespace

/// Read apart from the files that lie beside it.
core::Result<SiteFile::Values> SiteFile::read_values(const std::string& file) {
  GW_TRY(const ScratchFolder scratch, ScratchFolder::create());
  const fs::path copy = scratch.path() / "gateway.toml";
  GW_CHECK(copied(file, copy));
  const auto keys = daemon::all_config_keys();
  const auto reading = core::Config::read(copy.string(), keys);
  std::vector<std::string> lines;
  for (const core::ConfigMistake& mistake : reading.mistakes) {
    // What is missing here may be set elsewhere.
    const bool is_missing = mistake.kind == core::ConfigMistake::Kind::wrong_value &&
                            !reading.config.is_faulty(mistake.key);
    if (!is_missing) lines.push_back(replaced(mistake.line(), copy.string(), file));
  }
  if (!lines.empty()) return mistakes(lines);
  Values values;
  for (const auto& [path, key] : daemon::keys_that_are_set(reading.config, keys))
    values[path] = literal_of(reading.config, path, key->type);
  return values;
}

core::Result<SiteFile> SiteFile::open(const std::string& config_file) {
  SiteFile site;
  std::error_code failed;
  site.config_file_ = fs::absolute(config_file, failed).string();
  if (!fs::exists(site.config_file_, failed))
    return Error(Code::not_found, cat(config_file, " is not there; name another by --config"));
  site.in_use_ = core::Config::read(site.config_file_, daemon::all_config_keys()).config;
  if (!fs::exists(site.path(), failed)) return site;
  GW_TRY(site.on_disk_, read_values(site.path()));
  site.values_ = site.on_disk_;
  return site;
}

std::string SiteFile::path() const {
  return (fs::path(config_file_).parent_path() / "conf.d" / kName).string();
}

core::Status SiteFile::take_from(const std::string& file) {
  std::error_code failed;
  GW_TRY(Values values, read_values(fs::absolute(file, failed).string()));
  for (auto& [key, value] : values) values_[key] = std::move(value);
  return {};
}

void SiteFile::set(const std::string& key, const std::string& text) {
  if (text.empty()) {
    values_.erase(key);
  } else {
    values_[key] = Json(text).dump();
  }
}

void SiteFile::drop(const std::string& table) {
  std::erase_if(values_,
                [&](const auto& value) { return value.first.starts_with(cat(table, '.')); });
}

std::string SiteFile::text(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return "";
  const auto json = Json::parse(found->second);
  return json.ok() && json->is_string() ? std::string(json->text()) : found->second;
}

std::string SiteFile::text_in_use(const std::string& key) const {
  const std::string own = text(key);
  const bool taken_away = own.empty() && on_disk_.contains(key);
  return own.empty() && !taken_away && in_use_.has(key) ? in_use_.text(key) : own;
}

std::vector<std::string> SiteFile::changed() const {
  std::set<std::string> keys;
  for (const auto& [key, value] : values_) {
    const auto before = on_disk_.find(key);
    if (before == on_disk_.end() || before->second != value) keys.insert(key);
  }
  for (const auto& [key, value] : on_disk_)
    if (!values_.contains(key)) keys.insert(key);
  return {keys.begin(), keys.end()};
}

core::Result<core::Config> SiteFile::rehearse() const {
  GW_TRY(const ScratchFolder scratch, ScratchFolder::create());
  const fs::path folder = fs::path(config_file_).parent_path();
  const fs::path main = scratch.path() / fs::path(config_file_).filename();
  std::error_code failed;
  fs::create_directory(scratch.path() / "conf.d", failed);
  GW_CHECK(copied(config_file_, main));
  for (const auto& entry : fs::directory_iterator(folder / "conf.d", failed)) {
    const fs::path name = entry.path().filename();
    if (name != kName && name.extension() == ".toml")
      GW_CHECK(copied(entry.path(), scratch.path() / "conf.d" / name));
  }
  const std::string own = (scratch.path() / "conf.d" / kName).string();
  GW_CHECK(core::write_file_durably(core::system_files(), own, content()));

  const auto keys = daemon::all_config_keys();
  auto reading = core::Config::read(main.string(), keys);
  std::vector<std::string> lines;
  for (const core::ConfigMistake& mistake : reading.mistakes) lines.push_back(mistake.line());
  if (lines.empty()) {
    for (const daemon::Mistake& mistake : daemon::check_config(reading.config, keys))
      lines.push_back(mistake.line());
  }
  for (const auto& [key, value] : values_) {
    const std::string where = reading.config.where(key);
    if (reading.config.has(key) && !where.starts_with(own))
      lines.push_back(cat(where, ": ", key, ": is read after ", kName, "; change it there"));
  }
  if (lines.empty()) return std::move(reading.config);
  for (std::string& line : lines)
    line = replaced(std::move(line), scratch.path().string(), folder.string());
  return mistakes(lines);
}

std::string SiteFile::content() const {
  std::string text = kHead;
  for (const auto& [key, value] : values_) text += cat(dotted(key), " = ", value, '\n');
  return text;
}

core::Status SiteFile::write() {
  const std::string file = path();
  const std::string unfinished = file + ".new";
  core::Files& files = core::system_files();
  std::error_code failed;
  const fs::path folder = fs::path(file).parent_path();
  // Whatever the caller's umask: the service reads it as another user.
  if (fs::create_directories(folder, failed)) fs::permissions(folder, kReadableFolder, failed);
  // It is readable before it takes its place.
  core::Status written = core::write_file_durably(files, unfinished, content());
  if (written.ok() && ::chmod(unfinished.c_str(), kReadable) != 0)
    written = Error(Code::io, cat(unfinished, " cannot be opened to readers"));
  if (written.ok()) written = files.rename(unfinished, file);
  if (written.ok()) written = files.sync_folder(folder.string());
  if (!written.ok()) return std::move(written).with_context("nothing was changed; use sudo");
  on_disk_ = values_;
  return {};
}

}  // namespace gateway::cli
