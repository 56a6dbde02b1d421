#include "core/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <set>
#include <system_error>
#include <variant>

#include "core/config_change.h"
#include "core/files.h"
#include "core/text.h"

namespace gateway::core {
namespace {

constexpr std::size_t kConfigBytesMax = 1u << 20;
constexpr int kDotsMax = 16;          // outside quotes, in a line
constexpr std::size_t kNameMax = 64;  // of a part that the site chooses
constexpr std::size_t kSecretBytesMax = 64u << 10;

struct TomlMistake {
  std::string what;
  unsigned line = 0;
};

/// Debian's library is built with exceptions; they end here.
std::variant<toml::table, TomlMistake> parse_toml(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return TomlMistake{std::string(error.description()), error.source().begin.line};
  }
}

/// The first line with more dots outside quotes than keys have; 0: none. Each dot of a key is a
/// table in a table, and the library walks those by one call within another.
unsigned line_of_many_dots(std::string_view text) {
  unsigned line = 1;
  int dots = 0;
  char quote = 0;
  bool is_comment = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
      is_comment = false;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = 0;
    } else if (!is_comment) {
      if (c == '"' || c == '\'') quote = c;
      is_comment = c == '#';
      if (c == '.' && ++dots > kDotsMax) return line;
    }
  }
  return 0;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return c > ' ' && c != '.' && c != '"' && c != '\\' && c != 0x7f;
         });
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    parts.emplace_back(path.substr(from, dot - from));
    from = dot + 1;
  }
  return parts;
}

bool matches(std::string_view pattern, std::string_view path) {
  const auto wanted = split_path(pattern);
  const auto given = split_path(path);
  return wanted.size() == given.size() &&
         std::equal(wanted.begin(), wanted.end(), given.begin(),
                    [](const std::string& w, const std::string& g) { return w == "*" || w == g; });
}

std::string_view type_name(KeyType type) {
  switch (type) {
    case KeyType::text:
      return "a text in quotes";
    case KeyType::integer:
      return "a whole number";
    case KeyType::boolean:
      return "true or false";
    case KeyType::text_list:
      return "a list of texts in quotes";
  }
  return "";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

/// Walks the parsed files, gathers values and every mistake. What else writes into a Config is here
/// too.
class ConfigReader {
 public:
  explicit ConfigReader(Config& config) : config_(config) {}

  void read_text(std::string_view text, const std::string& name) {
    if (const unsigned line = line_of_many_dots(text); line != 0) {
      unreadable(cat(name, ":", line), cat("has more than ", kDotsMax, " dots; no key has"));
      return;
    }
    const auto parsed = parse_toml(text);
    if (const auto* broken = std::get_if<TomlMistake>(&parsed)) {
      unreadable(cat(name, ":", broken->line), broken->what);
      return;
    }
    read_table(std::get<toml::table>(parsed), "", name);
  }

  void unreadable(std::string where, std::string what) {
    mistakes_.push_back({ConfigMistake::Kind::unreadable, std::move(where), "", std::move(what)});
  }

  void check_required() {
    // What cannot be read may well set it.
    const auto is_unreadable = [](const ConfigMistake& mistake) {
      return mistake.kind == ConfigMistake::Kind::unreadable;
    };
    if (std::any_of(mistakes_.begin(), mistakes_.end(), is_unreadable)) return;
    for (const ConfigKey& key : config_.keys_) {
      if (!key.required) continue;
      const std::size_t star = key.path.find(".*.");
      if (star == std::string::npos) {
        require(key.path, key);
        continue;
      }
      const std::string table = key.path.substr(0, star);
      for (const std::string& name : config_.names(table))
        require(cat(table, ".", name, ".", key.path.substr(star + 3)), key);
    }
  }

  std::vector<ConfigMistake> take_mistakes() { return std::move(mistakes_); }

  static void copy(const Config& from, std::string_view path, Config& into) {
    for (const auto& entry : from.values_)
      if (is_within(entry.first, path)) into.values_.insert(entry);
    for (const auto& entry : from.tables_)
      if (is_within(entry.first, path)) into.tables_.insert(entry);
    for (const std::string& key : from.faulty_)
      if (is_within(key, path)) into.faulty_.insert(key);
  }
  /// What `one` sets and `other` does not, or to another value.
  static void compare(const Config& one, const Config& other, std::set<std::string>& paths) {
    for (const auto& [path, value] : one.values_) {
      const auto found = other.values_.find(path);
      const bool is_same = found != other.values_.end() && value.texts == found->second.texts &&
                           value.integer == found->second.integer &&
                           value.boolean == found->second.boolean;
      if (!is_same) paths.insert(path);
    }
  }

 private:
  void require(const std::string& path, const ConfigKey& key) {
    if (config_.has(path) || config_.is_faulty(path)) return;
    mistakes_.push_back({ConfigMistake::Kind::wrong_value, config_.where(path), path,
                         cat("is missing; set it (", key.meaning, ")")});
  }

  void wrong_value(const std::string& where, const std::string& path, std::string what) {
    config_.faulty_.insert(path);
    mistakes_.push_back({ConfigMistake::Kind::wrong_value, where, path, std::move(what)});
  }

  void read_table(const toml::table& table, const std::string& prefix, const std::string& name) {
    for (const auto& [key, node] : table) {
      const std::string path =
          prefix.empty() ? std::string(key.str()) : cat(prefix, ".", key.str());
      const std::string where = cat(name, ":", key.source().begin.line);
      if (!is_name(key.str())) {
        mistakes_.push_back(
            {ConfigMistake::Kind::unknown_key, where,
             cat(prefix, prefix.empty() ? "" : ".", "\"", key.str(), "\""),
             cat("is no name; use 1 to ", kNameMax, " characters without space, dot and quotes")});
      } else if (const auto* inner = node.as_table()) {
        config_.tables_.try_emplace(path, where);
        read_table(*inner, path, name);
      } else {
        read_value(path, node, where);
      }
    }
  }

  void read_value(const std::string& path, const toml::node& node, const std::string& where) {
    const ConfigKey* key = config_.find_key(path);
    if (!key) {
      mistakes_.push_back({ConfigMistake::Kind::unknown_key, where, path,
                           cat("is not a known key", nearest(path))});
      return;
    }
    Config::Value value;
    value.where = where;
    if (!convert(*key, node, value)) {
      wrong_value(where, path, cat("must be ", type_name(key->type), " (", key->meaning, ")"));
      return;
    }
    if (key->type == KeyType::integer &&
        (value.integer < key->minimum || value.integer > key->maximum)) {
      wrong_value(where, path,
                  cat(value.integer, " is outside ", key->minimum, " to ", key->maximum));
      return;
    }
    if (!key->choices.empty() && key->type == KeyType::text &&
        std::find(key->choices.begin(), key->choices.end(), value.texts[0]) == key->choices.end()) {
      std::string choices;
      for (const std::string& choice : key->choices)
        choices += cat(choices.empty() ? "" : ", ", choice);
      wrong_value(where, path, cat("\"", value.texts[0], "\" is not one of: ", choices));
      return;
    }
    config_.faulty_.erase(path);  // an earlier file's
    config_.values_[path] = std::move(value);
  }

  static bool convert(const ConfigKey& key, const toml::node& node, Config::Value& value) {
    switch (key.type) {
      case KeyType::text:
        if (!node.is_string()) return false;
        value.texts = {node.as_string()->get()};
        return true;
      case KeyType::integer:
        if (!node.is_integer()) return false;
        value.integer = node.as_integer()->get();
        return true;
      case KeyType::boolean:
        if (!node.is_boolean()) return false;
        value.boolean = node.as_boolean()->get();
        return true;
      case KeyType::text_list:
        if (!node.is_array()) return false;
        for (const toml::node& item : *node.as_array()) {
          if (!item.is_string()) return false;
          value.texts.push_back(item.as_string()->get());
        }
        return true;
    }
    return false;
  }

  std::string nearest(const std::string& path) const {
    const std::string* best = nullptr;
    std::size_t best_distance = 4;
    for (const ConfigKey& key : config_.keys_) {
      const std::size_t distance = edit_distance(key.path, path);
      if (distance < best_distance) {
        best = &key.path;
        best_distance = distance;
      }
      // A slip in the last part of a table with a free name: compare the parts themselves.
      const auto wanted = split_path(key.path);
      const auto given = split_path(path);
      if (wanted.size() == given.size() && wanted.front() == given.front()) {
        const std::size_t last = edit_distance(wanted.back(), given.back());
        if (last < best_distance) {
          best = &key.path;
          best_distance = last;
        }
      }
    }
    return best ? cat("; did you mean ", *best, "?") : "; remove it or see clinic-gateway.toml(5)";
  }

  Config& config_;
  std::vector<ConfigMistake> mistakes_;
};

namespace {

// Defaults are written as TOML so that the manual and the code read the same text.
std::string default_line(const ConfigKey& key) { return cat("value = ", key.default_text); }

/// The text of a file somebody may have put there in place of another.
Result<std::string> read_config_file(const std::string& file) {
  std::error_code failure;
  const auto facts = std::filesystem::status(file, failure);
  if (facts.type() == std::filesystem::file_type::not_found) {
    return Error(Code::not_found,
                 "is not there; write it (clinic-gateway.toml(5)), or name another "
                 "by --config");
  }
  if (!failure && facts.type() != std::filesystem::file_type::regular)
    return Error(Code::invalid, "is not a file; put a file there or take it away");
  auto text = read_whole_file(system_files(), file, kConfigBytesMax);
  if (text.ok()) return text;
  return Error(text.error().code(),
               cat(text.error().message(), "; let user clinic-gateway read it"));
}

Result<Config> all_or_error(Config::Reading reading) {
  if (reading.mistakes.empty()) return std::move(reading.config);
  std::string lines;
  for (const ConfigMistake& mistake : reading.mistakes)
    lines += cat(lines.empty() ? "" : "\n", mistake.line());
  return Error(Code::invalid, lines);
}

}  // namespace

bool is_within(std::string_view path, std::string_view table) {
  return path == table || (path.starts_with(table) && path.substr(table.size()).starts_with('.'));
}

std::string ConfigMistake::line() const {
  return key.empty() ? cat(where, ": ", what) : cat(where, ": ", key, ": ", what);
}

Result<Config> Config::parse(std::string_view text, const std::string& name,
                             const std::vector<ConfigKey>& keys) {
  Reading reading;
  reading.config.file_ = name;
  reading.config.keys_ = keys;
  ConfigReader reader(reading.config);
  reader.read_text(text, name);
  reader.check_required();
  reading.mistakes = reader.take_mistakes();
  return all_or_error(std::move(reading));
}

Config::Reading Config::read(const std::string& path, const std::vector<ConfigKey>& keys) {
  Reading reading;
  reading.config.file_ = path;
  reading.config.keys_ = keys;
  ConfigReader reader(reading.config);

  std::vector<std::string> paths{path};
  const std::string folder = (std::filesystem::path(path).parent_path() / "conf.d").string();
  if (system_files().exists(folder).ok() && *system_files().exists(folder)) {
    auto names = system_files().list(folder);
    if (!names.ok()) {
      reader.unreadable(folder, cat(names.error().message(), "; let user clinic-gateway read it"));
    } else {
      std::sort(names->begin(), names->end());
      for (const std::string& name : *names) {
        if (name.ends_with(".toml")) paths.push_back(cat(folder, "/", name));
      }
    }
  }
  for (const std::string& file : paths) {
    auto text = read_config_file(file);
    if (text.ok()) {
      reader.read_text(*text, file);
    } else {
      reader.unreadable(file, text.error().message());
    }
  }
  reader.check_required();
  reading.mistakes = reader.take_mistakes();
  return reading;
}

Result<Config> Config::load(const std::string& path, const std::vector<ConfigKey>& keys) {
  return all_or_error(read(path, keys));
}

void Config::drop(std::string_view path) {
  const auto is_gone = [path](std::string_view key) { return is_within(key, path); };
  std::erase_if(values_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(tables_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(faulty_, is_gone);
}

const ConfigKey* Config::find_key(std::string_view path) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(),
                                  [&](const ConfigKey& key) { return matches(key.path, path); });
  return found == keys_.end() ? nullptr : &*found;
}

Config::Value Config::value_of(std::string_view path, KeyType type) const {
  const ConfigKey* key = find_key(path);
  assert(key && key->type == type);
  if (const auto found = values_.find(path); found != values_.end()) return found->second;
  Value value;
  if (key->default_text.empty()) return value;
  const auto parsed = parse_toml(default_line(*key));
  assert(std::holds_alternative<toml::table>(parsed));
  const toml::node* node = std::get<toml::table>(parsed).get("value");
  switch (type) {
    case KeyType::text:
      value.texts = {node->as_string()->get()};
      break;
    case KeyType::integer:
      value.integer = node->as_integer()->get();
      break;
    case KeyType::boolean:
      value.boolean = node->as_boolean()->get();
      break;
    case KeyType::text_list:
      for (const toml::node& item : *node->as_array())
        value.texts.push_back(item.as_string()->get());
      break;
  }
  return value;
}

std::string Config::text(std::string_view path) const {
  const Value value = value_of(path, KeyType::text);
  return value.texts.empty() ? std::string() : value.texts[0];
}
std::int64_t Config::integer(std::string_view path) const {
  return value_of(path, KeyType::integer).integer;
}
bool Config::boolean(std::string_view path) const {
  return value_of(path, KeyType::boolean).boolean;
}
std::vector<std::string> Config::texts(std::string_view path) const {
  return value_of(path, KeyType::text_list).texts;
}
bool Config::has(std::string_view path) const { return values_.contains(path); }

std::vector<std::string> Config::names(std::string_view table) const {
  std::set<std::string> names;
  const std::string beginning = cat(table, ".");
  for (const auto& [path, value] : values_) {
    if (!path.starts_with(beginning)) continue;
    const std::string below = path.substr(beginning.size());
    if (const auto dot = below.find('.'); dot != std::string::npos)
      names.insert(below.substr(0, dot));
  }
  // One that sets nothing yet is there all the same.
  for (const auto& [path, where] : tables_) {
    if (!path.starts_with(beginning)) continue;
    const std::string below = path.substr(beginning.size());
    if (below.find('.') == std::string::npos) names.insert(below);
  }
  return {names.begin(), names.end()};
}

std::string Config::where(std::string_view path) const {
  if (const auto found = values_.find(path); found != values_.end()) return found->second.where;
  const auto table = tables_.find(path.substr(0, std::min(path.rfind('.'), path.size())));
  return table == tables_.end() ? file_ : table->second;
}

std::vector<std::string> differences(const Config& one, const Config& other) {
  std::set<std::string> paths;
  ConfigReader::compare(one, other, paths);
  ConfigReader::compare(other, one, paths);
  return {paths.begin(), paths.end()};
}

void keep_as_in(Config& config, std::string_view path, const Config& from) {
  config.drop(path);
  ConfigReader::copy(from, path, config);
}

Result<std::string> read_secret_file(const std::string& path) {
  GW_TRY(std::string content, read_whole_file(system_files(), path, kSecretBytesMax));
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  if (content.empty()) return Error(Code::invalid, cat(path, " is empty; put the secret in it"));
  return content;
}

}  // namespace gateway::core
