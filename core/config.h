// The configuration: gateway.toml and conf.d/*.toml beside it (in name order, later files win key
// by key). Each room registers the keys it reads; a key nobody registered, a wrong type or a value
// out of range is a mistake that names file, line and key. Values are read once at start; a reload
// builds a new Config.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::core {

enum class KeyType { text, integer, boolean, text_list };

/// One key a room understands. `path` is dotted; a `*` component stands for a name the site chooses
/// ("uplink.*.url").
struct ConfigKey {
  std::string path;
  KeyType type = KeyType::text;
  std::string meaning;            // one line for the manual
  std::string default_text = {};  // as it would be written in TOML; empty: none
  bool required =
      false;  // within its table, where the table exists (for tables with `*`) or always
  std::int64_t minimum = 0;  // integers only
  std::int64_t maximum = INT64_MAX;
  std::vector<std::string> choices = {};  // texts only; empty: any
};

/// What is wrong with what was written, and what to do.
struct ConfigMistake {
  enum class Kind {
    unreadable,   // a file, or what it says from its mistake on: nobody knows what it would set
    unknown_key,  // the others mean what they say
    wrong_value   // also one that is missing
  };
  Kind kind = Kind::wrong_value;
  std::string where;  // FILE or FILE:LINE
  std::string key;    // empty where it is the file
  std::string what;

  std::string line() const;
};

class Config {
 public:
  struct Reading;
  /// Reads all there is to read; what is wrong is left out of the values.
  static Reading read(const std::string& path, const std::vector<ConfigKey>& keys);
  /// Reads and checks. All mistakes are gathered into one Error, a line each: "FILE:LINE: KEY: what
  /// is wrong; what to do".
  static Result<Config> load(const std::string& path, const std::vector<ConfigKey>& keys);
  /// The same from text, for tests; `name` stands for the file.
  static Result<Config> parse(std::string_view text, const std::string& name,
                              const std::vector<ConfigKey>& keys);

  /// Registered keys only (asserts otherwise); a key that was not given answers its default.
  std::string text(std::string_view path) const;
  std::int64_t integer(std::string_view path) const;
  bool boolean(std::string_view path) const;
  std::vector<std::string> texts(std::string_view path) const;
  bool has(std::string_view path) const;
  /// It was set, to a value that is wrong.
  bool is_faulty(std::string_view path) const { return faulty_.contains(path); }
  /// Takes out everything at and below `path`, as if it had not been written.
  void drop(std::string_view path);
  /// The names in use below a table, which may be dotted: names("uplink") -> {"his", "pacs"},
  /// sorted.
  std::vector<std::string> names(std::string_view table) const;
  /// "FILE:LINE" where the key was set, else the main file's name: for errors found later.
  std::string where(std::string_view path) const;

 private:
  struct Value {
    std::vector<std::string> texts;
    std::int64_t integer = 0;
    bool boolean = false;
    std::string where;
  };
  friend class ConfigReader;
  const ConfigKey* find_key(std::string_view path) const;
  Value value_of(std::string_view path, KeyType type) const;

  std::string file_;
  std::vector<ConfigKey> keys_;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> tables_;  // where each table begins
  std::set<std::string, std::less<>> faulty_;
};

struct Config::Reading {
  Config config;
  std::vector<ConfigMistake> mistakes;
};

/// A secret kept in a file of its own (0600): its text without the trailing newline. The error
/// never holds the content.
Result<std::string> read_secret_file(const std::string& path);

}  // namespace gateway::core
