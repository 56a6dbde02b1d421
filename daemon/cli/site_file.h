// The file that `clinic-gateway setup` keeps: conf.d/setup.toml beside gateway.toml, one key a
// line. What a person writes into other files there stays theirs: those that come later by name
// win. The file is replaced as a whole or not at all, and only after the whole configuration was
// read with what it would be. For one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/result.h"

namespace gateway::cli {

class SiteFile {
 public:
  /// `config_file`: the main file. What is there already is kept.
  static core::Result<SiteFile> open(const std::string& config_file);

  /// Everything that `file` sets, in the configuration's own keys. Code::invalid with a line for
  /// each mistake in it.
  core::Status take_from(const std::string& file);
  /// Of a key that is registered. An empty text takes the key away.
  void set(const std::string& key, const std::string& text);
  /// Everything below a table.
  void drop(const std::string& table);
  /// A text as it stands in this file; empty: not there.
  std::string text(const std::string& key) const;
  /// The same, or else as another file of the configuration sets it.
  std::string text_in_use(const std::string& key) const;

  /// Keys whose value is not what the file on the disk says, sorted.
  std::vector<std::string> changed() const;
  /// The whole configuration as it would be. Code::invalid with a line for each mistake, and for
  /// each key that a later file sets otherwise.
  core::Result<core::Config> rehearse() const;
  /// Durably; every user may read it, since it holds no secrets.
  core::Status write();
  std::string path() const;

 private:
  using Values = std::map<std::string, std::string>;  // as TOML writes them, by key
  static core::Result<Values> read_values(const std::string& file);
  std::string content() const;

  std::string config_file_;
  core::Config in_use_;
  Values on_disk_;
  Values values_;
};

}  // namespace gateway::cli
