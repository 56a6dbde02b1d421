#include "crypto/epoch_files.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "core/file_steps.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/octets.h"
#include "crypto/secret_file.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kMagic = "CGEPOCH1";
constexpr std::string_view kSuffix = ".key";
constexpr std::string_view kKnown = "/known";
constexpr std::size_t kKnownMax = 64U << 10;
constexpr std::size_t kDigits = 6;
constexpr std::uint32_t kEpochMax = 999999;  // of six digits
constexpr std::size_t kPrefixBytes = 12;     // magic and epoch: the associated bytes of the wrap
constexpr std::size_t kFileBytes = kPrefixBytes + kWrappedKeyBytes;

std::array<std::byte, kPrefixBytes> prefix_of(std::uint32_t epoch) {
  std::array<std::byte, kPrefixBytes> prefix;
  auto magic = as_octets(kMagic);
  std::copy(magic.begin(), magic.end(), prefix.begin());
  put_little_endian(std::span(prefix).last<4>(), epoch);
  return prefix;
}

std::optional<std::uint32_t> epoch_from_name(std::string_view name) {
  if (name.size() != 6 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint32_t epoch = 0;
  auto digits = name.substr(0, 6);
  auto [end, code] = std::from_chars(digits.begin(), digits.end(), epoch);
  if (code != std::errc() || end != digits.end()) return std::nullopt;
  return epoch;
}

}  // namespace

std::uint32_t epoch_of(core::Wall time) {
  std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  if (day.year() < std::chrono::year(1970)) return 197001;
  return static_cast<std::uint32_t>(static_cast<int>(day.year())) * 100 +
         static_cast<std::uint32_t>(static_cast<unsigned>(day.month()));
}

std::uint32_t epoch_after(std::uint32_t epoch) {
  return epoch % 100 < 12 ? epoch + 1 : (epoch / 100 + 1) * 100 + 1;
}

std::string EpochFiles::folder_in(const std::string& keyring_folder) {
  return core::cat(keyring_folder, "/epochs");
}

EpochFiles::EpochFiles(core::Files& files, std::string folder, Secret wrapping)
    : files_(&files), folder_(std::move(folder)), wrapping_(std::move(wrapping)) {}

std::string EpochFiles::path_of(std::uint32_t epoch) const {
  return core::cat(folder_, '/', epoch, kSuffix);
}

core::Result<EpochFiles> EpochFiles::open(core::Files& files, const std::string& keyring_folder,
                                          Secret wrapping) {
  EpochFiles epochs(files, folder_in(keyring_folder), std::move(wrapping));
  GW_TRY(const auto there, epochs.list());
  if (!there.empty()) epochs.newest_ = there.back();
  GW_CHECK(epochs.read_known());
  if (!epochs.known_.empty()) epochs.newest_ = std::max(epochs.newest_, *epochs.known_.rbegin());
  return epochs;
}

core::Status EpochFiles::read_known() {
  const std::string path = core::cat(folder_, kKnown);
  const auto text = core::read_whole_file(*files_, path, kKnownMax);
  if (!text.ok() && text.error().code() == core::Code::not_found) return {};
  if (!text.ok()) return text.error();
  for (std::string_view left = *text; left.size() > kDigits; left.remove_prefix(kDigits + 1)) {
    const auto epoch = epoch_from_name(core::cat(left.substr(0, kDigits), kSuffix));
    if (!epoch || left[kDigits] != '\n') {
      core::log_warn("crypto", core::cat(path, " is damaged; it is written anew"));
      break;
    }
    known_.insert(*epoch);
  }
  return {};
}

core::Status EpochFiles::write_known(std::set<std::uint32_t> known) {
  if (known == known_) return {};
  std::string text;
  for (const std::uint32_t epoch : known) text += core::cat(epoch, '\n');
  GW_CHECK(core::write_file_durably(*files_, core::cat(folder_, kKnown), text));
  known_ = std::move(known);
  return {};
}

core::Status EpochFiles::remember() {
  GW_TRY(const auto there, list());
  std::set<std::uint32_t> known = known_;
  known.insert(there.begin(), there.end());
  return write_known(std::move(known));
}

std::vector<std::uint32_t> EpochFiles::lost() {
  std::vector<std::uint32_t> lost;
  for (const std::uint32_t epoch : known_) {
    if (!key(epoch).ok()) lost.push_back(epoch);
  }
  return lost;
}

core::Result<std::string> EpochFiles::file_of(std::uint32_t epoch, const Secret& key) const {
  const auto prefix = prefix_of(epoch);
  GW_TRY(const WrappedKey wrapped, wrap_key(wrapping_, key, prefix));
  return core::cat(as_text(prefix), as_text(wrapped));
}

void EpochFiles::change_wrapping(Secret wrapping) {
  previous_wrapping_ = std::exchange(wrapping_, std::move(wrapping));
}

/// A drive may give on the second try what it refused on the first: that is no loss, but an error.
core::Result<bool> EpochFiles::is_lost(std::uint32_t epoch) {
  const auto known = key(epoch);
  if (known.ok()) return false;
  const core::Code code = known.error().code();
  if (code == core::Code::not_found || code == core::Code::corrupt) return true;
  return known.error();
}

core::Status EpochFiles::give_up(const std::set<std::uint32_t>& epochs) {
  for (const std::uint32_t epoch : epochs) {
    GW_TRY(const bool is_gone, is_lost(epoch));
    if (known_.contains(epoch) && is_gone) continue;
    return core::Error(core::Code::invalid,
                       core::cat("the key of epoch ", epoch, " is not lost: nothing to give up"));
  }
  std::set<std::uint32_t> kept;
  for (const std::uint32_t epoch : known_) {
    if (epochs.contains(epoch)) continue;
    GW_TRY(const bool is_gone, is_lost(epoch));
    if (is_gone) {
      return core::Error(
          core::Code::refused,
          core::cat(
              "the key of epoch ", epoch, " is gone or damaged, and a copy of its file opens ",
              "under this root key only: put ", epoch, ".key back from a backup's newest run ",
              "and restart, or name it to be given up, with what is sealed under it"));
    }
    kept.insert(epoch);
  }
  GW_CHECK(write_known(std::move(kept)));
  for (const std::uint32_t epoch : epochs) {
    GW_TRY(const bool damaged, files_->exists(path_of(epoch)));
    if (damaged) GW_CHECK(files_->remove(path_of(epoch)));
  }
  return epochs.empty() ? core::Status() : files_->sync_folder(folder_);
}

core::Status EpochFiles::wrap_all_again() {
  GW_TRY(const auto there, list());
  std::set<std::uint32_t> epochs = known_;
  epochs.insert(there.begin(), there.end());
  core::Status lost;
  for (const std::uint32_t epoch : epochs) {
    // In memory it may have outlived its file, which is whole again then.
    const auto known = key(epoch);
    // Cut off in its destruction, it is finished by the epochs' own rotation.
    if (!known.ok() && !known_.contains(epoch)) continue;
    if (!known.ok()) {
      lost = core::Status(known.error());
      continue;
    }
    GW_TRY(const std::string text, file_of(epoch, *known));
    GW_CHECK(replace_secret_file(*files_, path_of(epoch), text));
    GW_CHECK(read(epoch));
  }
  return lost;
}

core::Result<std::uint32_t> EpochFiles::current(core::Wall now) {
  if (epoch_of(now) > newest_) {
    GW_CHECK(make(epoch_of(now)));
    return newest_;
  }
  const auto known = key(newest_);
  if (known.ok()) return newest_;
  const core::Code code = known.error().code();
  if (code != core::Code::not_found && code != core::Code::corrupt) return known.error();
  core::log_error(
      "crypto", core::cat("the key of epoch ", newest_, " is gone or damaged; a new epoch begins"));
  GW_CHECK(make(epoch_after(newest_)));
  return newest_;
}

/// A key that is there already, as from an attempt that failed late, is as good: something may be
/// sealed under it.
core::Status EpochFiles::make_file(std::uint32_t epoch) {
  GW_TRY(const bool has_folder, files_->exists(folder_));
  if (!has_folder) {
    GW_CHECK(files_->make_folder(folder_));
    GW_CHECK(files_->sync_folder(folder_.substr(0, folder_.find_last_of('/'))));
  }
  GW_TRY(const bool has_key, files_->exists(path_of(epoch)));
  if (has_key) return files_->sync_folder(folder_);
  GW_TRY(const std::string text, file_of(epoch, Secret::random(kKeyBytes)));
  return core::write_file_durably(*files_, path_of(epoch), text);
}

core::Status EpochFiles::make(std::uint32_t epoch) {
  if (epoch > kEpochMax) {
    return core::Error(core::Code::invalid, "no epoch comes after 999999: no new one can begin");
  }
  GW_CHECK(make_file(epoch));
  GW_TRY(Secret proven, read(epoch));
  newest_ = std::max(newest_, epoch);
  keys_.insert_or_assign(epoch, std::move(proven));
  // After the key: named before it, one whose making was cut off would count as lost.
  return remember();
}

core::Result<Secret> EpochFiles::key(std::uint32_t epoch) {
  auto known = keys_.find(epoch);
  if (known == keys_.end()) {
    GW_TRY(Secret loaded, read(epoch));
    known = keys_.emplace(epoch, std::move(loaded)).first;
  }
  return known->second.clone();
}

core::Result<std::vector<std::uint32_t>> EpochFiles::list() const {
  std::vector<std::uint32_t> epochs;
  GW_TRY(const auto names, core::list_if_there(*files_, folder_));
  for (const std::string& name : names) {
    if (const auto epoch = epoch_from_name(name)) epochs.push_back(*epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

core::Status EpochFiles::destroy(std::uint32_t epoch) {
  if (epoch >= newest_) {
    return core::Error(core::Code::invalid,
                       core::cat("epoch ", epoch, " is in use; begin a new one first"));
  }
  // Before the key: named after it, it would count as lost.
  std::set<std::uint32_t> known = known_;
  known.erase(epoch);
  GW_CHECK(write_known(std::move(known)));
  {
    GW_TRY(auto file, files_->open_write(path_of(epoch)));
    const std::string noise = core::random_bytes(kFileBytes);
    GW_CHECK(file->write_at(0, as_octets(noise)));
    GW_CHECK(file->sync());
  }
  GW_CHECK(files_->remove(path_of(epoch)));
  keys_.erase(epoch);
  return files_->sync_folder(folder_);
}

core::Result<Secret> EpochFiles::read(std::uint32_t epoch) const {
  std::string path = path_of(epoch);
  auto text = core::read_whole_file(*files_, path, kFileBytes);
  if (!text.ok() && text.error().code() == core::Code::not_found) return std::move(text).error();
  if (!text.ok()) return std::move(text).error().with_context("epoch key");
  auto prefix = prefix_of(epoch);
  auto octets = as_octets(*text);
  if (octets.size() != kFileBytes || !std::equal(prefix.begin(), prefix.end(), octets.begin())) {
    return core::Error(core::Code::corrupt,
                       core::cat("epoch key ", path, " is damaged; restore it from a backup"));
  }
  const auto wrapped = octets.subspan(kPrefixBytes);
  auto key = unwrap_key(wrapping_, wrapped, prefix);
  if (!key.ok() && previous_wrapping_) key = unwrap_key(*previous_wrapping_, wrapped, prefix);
  return std::move(key).with_context(core::cat("epoch key ", path));
}

}  // namespace gateway::crypto
