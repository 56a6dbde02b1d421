#include "daemon/credential_source.h"

#include <sys/stat.h>

#include <cstring>
#include <span>
#include <utility>

#include "core/config.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

core::Result<crypto::CredentialSecret> read_slot_key(std::string_view text) {
  crypto::CredentialSecret secret{crypto::Secret(crypto::kKeyBytes)};
  const std::span<std::byte> bytes = secret.bytes.bytes();
  bool good = text.size() == 2 * bytes.size();
  for (std::size_t i = 0; good && i < bytes.size(); ++i) {
    const auto high = kDigits.find(text[2 * i]);
    const auto low = kDigits.find(text[2 * i + 1]);
    good = high != kDigits.npos && low != kDigits.npos;
    bytes[i] = static_cast<std::byte>(high << 4 | (low & 0xF));
  }
  if (!good) {
    return core::Error(core::Code::invalid,
                       core::cat("the credential ", kSlotCredential,
                                 " is not 64 hexadecimal "
                                 "digits; make it anew with keys add credential"));
  }
  return secret;
}

crypto::Secret write_slot_key(const crypto::CredentialSecret& secret) {
  crypto::Secret text(2 * secret.bytes.size());
  std::size_t at = 0;
  for (const std::byte byte : secret.bytes.bytes()) {
    text.bytes()[at++] = static_cast<std::byte>(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    text.bytes()[at++] = static_cast<std::byte>(kDigits[std::to_integer<unsigned>(byte) & 0xF]);
  }
  return text;
}

std::optional<core::Result<crypto::CredentialSecret>> credential_of(
    const std::string& credentials_folder) {
  const std::string path = core::cat(credentials_folder, '/', kSlotCredential);
  struct stat facts {};
  if (credentials_folder.empty() || ::stat(path.c_str(), &facts) != 0) return std::nullopt;
  auto text = core::read_secret_file(path);
  if (!text.ok()) return std::move(text).error().with_context("the slot's credential");
  auto secret = read_slot_key(*text);
  ::explicit_bzero(text->data(), text->size());
  return secret;
}

}  // namespace gateway::daemon
