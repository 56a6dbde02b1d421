#include "crypto/object_rewrap.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/file_steps.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kMagic = "CGREWRP1";
constexpr std::size_t kBatch = 512;
constexpr std::size_t kDigestBytes = std::tuple_size_v<Digest>;
constexpr std::size_t kJournalMax = kMagic.size() + kBatch * kObjectHeaderBytes + kDigestBytes;

core::Result<ObjectHeaderBytes> read_bytes(core::File& file, bool& whole) {
  ObjectHeaderBytes bytes{};
  GW_TRY(const std::size_t got, file.read_at(0, bytes));
  whole = got == bytes.size();
  return bytes;
}

/// The headers in a whole journal; nothing when it is not whole.
std::vector<ObjectHeaderBytes> read_journal(std::string_view text) {
  std::vector<ObjectHeaderBytes> headers;
  if (text.size() < kMagic.size() + kDigestBytes || !text.starts_with(kMagic)) return headers;
  const std::string_view body = text.substr(0, text.size() - kDigestBytes);
  const Digest digest = sha256(as_octets(body));
  if (as_text(digest) != text.substr(body.size())) return headers;
  for (std::size_t at = kMagic.size(); at + kObjectHeaderBytes <= body.size();
       at += kObjectHeaderBytes) {
    ObjectHeaderBytes bytes;
    std::ranges::copy(as_octets(body.substr(at, kObjectHeaderBytes)), bytes.begin());
    headers.push_back(bytes);
  }
  return headers;
}

}  // namespace

std::string ObjectRewrap::journal_path() const {
  return core::cat(folder_.path(), "/rewrap-journal");
}

core::Status ObjectRewrap::recover() {
  GW_TRY(const bool there, files_.exists(journal_path()));
  if (!there) return {};
  GW_TRY(const std::string text, core::read_whole_file(files_, journal_path(), kJournalMax));
  const auto headers = read_journal(text);
  if (headers.empty()) {
    // It is renamed into place whole: only its removal, which overwrites it first, leaves it so.
    core::log_info("crypto", "an epoch's retirement was interrupted at the end of a batch");
  }
  for (const ObjectHeaderBytes& after : headers) GW_CHECK(put_again(after));
  return remove_journal();
}

core::Status ObjectRewrap::put_again(const ObjectHeaderBytes& after) {
  GW_TRY(const ObjectHeader header, read_header(after));
  auto file = folder_.open_write(uuid_text(header.id));
  if (!file.ok() && file.error().code() == core::Code::not_found) return {};  // deleted since
  if (!file.ok()) return std::move(file).error();
  bool whole = false;
  GW_TRY(const ObjectHeaderBytes there, read_bytes(**file, whole));
  if (!whole || there == after) return {};
  GW_CHECK((*file)->write_at(0, after));
  return (*file)->sync();
}

core::Result<RewrapReport> ObjectRewrap::run(std::uint32_t epoch,
                                             const std::function<bool()>& stopping) {
  RewrapReport report;
  batch_.clear();  // of a run that failed: its headers may have changed since
  refused_ = 0;
  const auto each = [&](const std::string& id) -> core::Status {
    if (stopping()) {
      return core::Error(core::Code::cancelled, "objects are left to be moved to the new epoch");
    }
    return look_at(id, epoch, report);
  };
  GW_CHECK(folder_.for_each(each));
  GW_CHECK(flush(report));
  if (refused_ == 0) return report;
  return core::Error(core::Code::io,
                     core::cat(refused_,
                               " objects could not be read and stay under an older epoch, "
                               "which is kept; the others were moved. The first: ",
                               refusal_));
}

core::Status ObjectRewrap::look_at(const std::string& id, std::uint32_t epoch,
                                   RewrapReport& report) {
  bool whole = false;
  const auto read = core::try_twice([&]() -> core::Result<ObjectHeaderBytes> {
    GW_TRY(const auto file, folder_.open_read(id));
    return read_bytes(*file, whole);
  });
  if (!read.ok() && read.error().code() == core::Code::not_found) return {};  // deleted meanwhile
  if (!read.ok() && read.error().code() == core::Code::io) {
    if (refused_++ == 0) refusal_ = read.error().message();
    return {};
  }
  if (!read.ok()) return read.error();
  if (!whole) return {};  // a name in stock, or bytes that are still on their way
  const ObjectHeaderBytes& before = *read;
  ++report.looked_at;
  auto header = read_header(before);
  if (header.ok() && header->epoch >= epoch) return {};
  if (header.ok()) {
    auto after = wrap_again(*header, before, epoch);
    if (after.ok()) {
      batch_.push_back({id, before, *after});
      return batch_.size() < kBatch ? core::Status() : flush(report);
    }
    if (after.error().code() != core::Code::corrupt) return std::move(after).error();
  } else if (header.error().code() != core::Code::corrupt) {
    return std::move(header).error();
  }
  ++report.unreadable;
  core::log_warn("crypto", core::cat("object ", id,
                                     " has a damaged header and cannot be moved to "
                                     "a new epoch; it was lost before"));
  return {};
}

core::Result<ObjectHeaderBytes> ObjectRewrap::wrap_again(const ObjectHeader& header,
                                                         const ObjectHeaderBytes& before,
                                                         std::uint32_t epoch) {
  auto old_key = keyring_.epoch_key(header.epoch);
  if (!old_key.ok() && old_key.error().code() == core::Code::not_found) {
    return core::Error(core::Code::corrupt, "no epoch has the number in its header");
  }
  if (!old_key.ok()) {
    // Destroying other epochs must not go on as if this one's objects were gone.
    return core::Error(core::Code::io,
                       core::cat("epoch ", header.epoch, ": ", old_key.error().message()));
  }
  GW_TRY(const Secret key,
         unwrap_key(*old_key, header.wrapped_key, std::span(before).first(kBoundHeaderBytes)));
  GW_TRY(const Secret new_key, keyring_.epoch_key(epoch));
  ObjectHeader moved = header;
  moved.epoch = epoch;
  const ObjectHeaderBytes bound = write_header(moved);
  GW_TRY(moved.wrapped_key, wrap_key(new_key, key, std::span(bound).first(kBoundHeaderBytes)));
  return write_header(moved);
}

core::Status ObjectRewrap::flush(RewrapReport& report) {
  if (batch_.empty()) return {};
  GW_CHECK(write_journal());
  for (const Change& change : batch_) {
    auto file = folder_.open_write(change.id);
    if (!file.ok() && file.error().code() == core::Code::not_found) continue;  // deleted meanwhile
    if (!file.ok()) return std::move(file).error();
    {
      const std::unique_lock lock(headers_);
      bool whole = false;
      GW_TRY(const ObjectHeaderBytes there, read_bytes(**file, whole));
      if (!whole || there != change.before) continue;  // shredded meanwhile
      GW_CHECK((*file)->write_at(0, change.after));
    }
    GW_CHECK((*file)->sync());
    ++report.rewrapped;
  }
  batch_.clear();
  return remove_journal();
}

core::Status ObjectRewrap::write_journal() const {
  std::string text(kMagic);
  for (const Change& change : batch_) text += as_text(change.after);
  const Digest digest = sha256(as_octets(text));
  text += as_text(digest);
  return core::write_file_durably(files_, journal_path(), text);
}

/// It holds wrapped keys: what is shredded later must not be found in its blocks.
core::Status ObjectRewrap::remove_journal() {
  {
    GW_TRY(auto file, files_.open_write(journal_path()));
    GW_TRY(const std::uint64_t size, file->size());
    const std::string noise = core::random_bytes(static_cast<std::size_t>(size));
    GW_CHECK(file->write_at(0, as_octets(noise)));
    GW_CHECK(file->sync());
  }
  GW_CHECK(files_.remove(journal_path()));
  return files_.sync_folder(folder_.path());
}

}  // namespace gateway::crypto
