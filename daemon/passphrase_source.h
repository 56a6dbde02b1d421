// Where the passphrase comes from without a person: a file the configuration names, else the
// systemd credential "passphrase" (systemd.exec(5), $CREDENTIALS_DIRECTORY). One thread at a time.
#pragma once

#include <optional>
#include <string>

#include "core/result.h"
#include "crypto/keyring.h"

namespace gateway::daemon {

class PassphraseSource {
 public:
  /// An explicit `configured_file` wins over the credential, even while it does not exist.
  /// `credentials_folder` empty: not started by systemd with credentials.
  PassphraseSource(std::string configured_file, const std::string& credentials_folder);

  bool configured() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

  /// Code::not_found: no file there (or none configured); Code::invalid: empty; Code::io:
  /// unreadable. The message says what to do.
  core::Result<crypto::Passphrase> read() const;

  /// Changes whenever the file was replaced or rewritten; empty while there is none. Only a stat().
  std::string fingerprint() const;

 private:
  std::string path_;
};

}  // namespace gateway::daemon
