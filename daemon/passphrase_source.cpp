#include "daemon/passphrase_source.h"

#include <sys/stat.h>

#include <cstring>

#include "core/config.h"
#include "core/text.h"

namespace gateway::daemon {

using core::cat;

PassphraseSource::PassphraseSource(std::string configured_file,
                                   const std::string& credentials_folder)
    : path_(std::move(configured_file)) {
  if (!path_.empty() || credentials_folder.empty()) return;
  std::string credential = cat(credentials_folder, "/passphrase");
  // Without the credential a LOCKED gateway should ask for a configured file, not for a path of
  // systemd's that nobody can write to.
  struct stat facts {};
  if (::stat(credential.c_str(), &facts) == 0) path_ = std::move(credential);
}

core::Result<crypto::Passphrase> PassphraseSource::read() const {
  if (path_.empty()) {
    return core::Error(core::Code::not_found,
                       "no passphrase is configured; run clinic-gateway unlock, or set "
                       "keys.passphrase_file");
  }
  auto text = core::read_secret_file(path_);
  if (!text.ok()) {
    if (text.error().code() == core::Code::not_found) {
      return core::Error(core::Code::not_found,
                         cat("the passphrase file ", path_,
                             " is not there; put it there or run clinic-gateway unlock"));
    }
    return std::move(text).error().with_context("the passphrase file");
  }
  crypto::Passphrase passphrase{crypto::Secret::copy_of(std::string_view(*text))};
  explicit_bzero(text->data(), text->size());
  return passphrase;
}

std::string PassphraseSource::fingerprint() const {
  struct stat facts {};
  if (path_.empty() || ::stat(path_.c_str(), &facts) != 0) return {};
  return cat(facts.st_dev, ':', facts.st_ino, ':', facts.st_size, ':', facts.st_mtim.tv_sec, '.',
             facts.st_mtim.tv_nsec, ':', facts.st_mode, ':', facts.st_uid);
}

}  // namespace gateway::daemon
