#include "sync/uploads.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "core/files.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "sync/data_set_digest.h"
#include "sync/shredding.h"
#include "sync/tus.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using crypto::Connection;

// What a kill costs at most of what the peer has sent and was not told of.
constexpr std::uint64_t kPartMax = 1U << 20;
constexpr std::size_t kPiece = 256U << 10;
// A link may be down for longer than a power cut of ten days; by then its clinic has other worries.
constexpr auto kExpiresAfter = std::chrono::hours(24 * 14);
constexpr std::size_t kIdBytes = 16;

Error not_there() { return {Code::not_found, "there is no such upload, or it expired"}; }

bool is_lost(const Error& error) {
  return error.code() == Code::io || error.code() == Code::not_found;
}

/// The bytes of an upload, over its parts. Code::corrupt: some cannot be read any more.
class PartsReader {
 public:
  PartsReader(crypto::ObjectStore& objects, std::vector<std::string> parts)
      : objects_(objects), parts_(std::move(parts)), piece_(kPiece) {}

  core::Result<std::span<const std::byte>> next() {
    auto bytes = read();
    if (!bytes.ok() && is_lost(bytes.error()))
      return Error(Code::corrupt, "what was kept of it cannot be read any more; send it again");
    return bytes;
  }

 private:
  core::Result<std::span<const std::byte>> read() {
    while (true) {
      if (!open_) {
        if (next_part_ == parts_.size()) return std::span<const std::byte>();
        GW_TRY(open_, objects_.open_object(parts_[next_part_++]));
        at_ = kPartMark.size();
      }
      GW_TRY(const std::size_t got, open_->read(at_, piece_));
      at_ += got;
      if (got > 0) return std::span<const std::byte>(piece_).first(got);
      open_.reset();
    }
  }

  crypto::ObjectStore& objects_;
  const std::vector<std::string> parts_;
  std::size_t next_part_ = 0;
  std::unique_ptr<crypto::SealedReader> open_;
  std::uint64_t at_ = 0;
  std::vector<std::byte> piece_;
};

/// Code::corrupt: the bytes are not those whose digest was announced.
core::Status verify(crypto::ObjectStore& objects, const std::vector<std::string>& parts,
                    const std::string& metadata) {
  const auto announced = tus::metadata_value(metadata, tus::kDigestKey);
  if (!announced) return {};
  PartsReader reader(objects, parts);
  crypto::Sha256 sum;
  while (true) {
    GW_TRY(const auto bytes, reader.next());
    if (bytes.empty()) break;
    sum.update(bytes);
  }
  if (digest_text(sum.finish()) == core::to_lower_ascii(*announced)) return {};
  return Error(Code::corrupt, "the bytes have another SHA-256 than was announced; send them again");
}

core::Result<Upload> read_of_client(Connection& connection, const std::string& client,
                                    const std::string& id, const std::string& now) {
  GW_TRY(auto upload, read_upload(connection, id));
  if (!upload || upload->client != client || upload->expires_at < now) return not_there();
  return std::move(*upload);
}

}  // namespace

core::Status UploadStream::append(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  if (ended_) return *ended_;
  const std::uint64_t left = upload_.length - upload_.received - in_part_;
  if (bytes.size() > left)
    return Error(Code::invalid, "more bytes came than Upload-Length announced");
  while (!bytes.empty()) {
    const auto taken =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kPartMax - in_part_));
    if (core::Status kept = append_within(bytes.first(taken)); !kept.ok()) {
      part_.reset();
      in_part_ = 0;
      ended_ = kept.error();
      return kept;
    }
    bytes = bytes.subspan(taken);
  }
  return {};
}

core::Status UploadStream::append_within(std::span<const std::byte> bytes) {
  if (!part_) {
    GW_TRY(part_, holdings_->objects().create());
    GW_CHECK(part_->append(crypto::as_octets(kPartMark)));
  }
  GW_CHECK(part_->append(bytes));
  in_part_ += bytes.size();
  return in_part_ < kPartMax ? core::Status() : commit_locked();
}

core::Status UploadStream::commit() {
  const std::lock_guard lock(mutex_);
  if (ended_) return {};
  core::Status kept = commit_locked();
  // What was lost would leave a gap: nothing more goes behind it.
  if (!kept.ok()) ended_ = kept.error();
  return kept;
}

core::Status UploadStream::end() {
  const std::lock_guard lock(mutex_);
  core::Status kept = ended_ ? core::Status() : commit_locked();
  if (!ended_) ended_ = Error(Code::refused, "another request goes on with this upload");
  return kept;
}

core::Status UploadStream::commit_locked() {
  if (!part_) return {};
  const auto part = std::exchange(part_, nullptr);
  const std::uint64_t bytes = std::exchange(in_part_, 0);
  GW_TRY(const auto object, part->finish());
  const std::string expires = core::to_instant(clock_.wall() + kExpiresAfter);
  core::Status kept = holdings_->database().write([&](Connection& connection) {
    return add_part(connection, upload_.id, upload_.received, object.id, bytes, expires);
  });
  if (kept.ok()) {
    // Unsettled it is put in place at the next start, which many would hold up.
    if (const auto settled = holdings_->objects().settle(object.id); !settled.ok())
      core::log_warn("upload", settled.error().message());
    upload_.received += bytes;
    return {};
  }
  // A commit that failed may be on the disk all the same: the next start's sweep can tell.
  if (kept.error().code() == Code::refused) {
    if (auto gone = holdings_->objects().shred(object.id); !gone.ok())
      core::log_warn("upload", gone.error().message());
  }
  return kept;
}

Uploads::~Uploads() {
  for (const auto& [id, stream] : running_) {
    if (auto kept = stream->end(); !kept.ok()) core::log_warn("upload", kept.error().message());
  }
}

std::string Uploads::expiry() const { return core::to_instant(clock_.wall() + kExpiresAfter); }

std::shared_ptr<UploadStream> Uploads::running(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  return found == running_.end() ? nullptr : found->second;
}

core::Result<Upload> Uploads::create(Holdings& holdings, const std::string& client,
                                     std::uint64_t length, const std::string& metadata,
                                     const std::string& concat) {
  Upload upload{.id = core::to_hex(core::random_bytes(kIdBytes)),
                .client = client,
                .length = length,
                .metadata = metadata,
                .concat = concat,
                .expires_at = expiry()};
  const auto open = [&](Connection& connection) -> core::Status {
    GW_CHECK(expire_uploads(connection, core::to_instant(clock_.wall())));
    GW_TRY(const UploadLoad load, upload_load(connection, client));
    if (load.open_of_client >= kOpenUploadsMax)
      return Error(Code::busy, "too many uploads are open; finish some or remove them");
    // Each byte is there twice while the whole is taken in.
    auto room = holdings.has_room(load.bytes_to_come + 2 * length);
    if (!room.ok())
      return std::move(room).error().with_context("no room beside what is announced already");
    return insert_upload(connection, upload);
  };
  GW_CHECK(holdings.database().write(open));
  return upload;
}

core::Result<Upload> Uploads::join(Holdings& holdings, const std::string& client,
                                   const std::vector<std::string>& ids, const std::string& metadata,
                                   const std::string& concat) {
  Upload joined{.id = core::to_hex(core::random_bytes(kIdBytes)),
                .client = client,
                .metadata = metadata,
                .concat = concat,
                .expires_at = expiry()};
  if (std::set<std::string>(ids.begin(), ids.end()).size() != ids.size())
    return Error(Code::invalid, "an upload can be joined only once");
  const std::string now = core::to_instant(clock_.wall());
  std::string known;
  const auto put_together = [&](Connection& connection) -> core::Status {
    joined.length = 0;
    std::vector<std::uint64_t> begins;
    for (const std::string& id : ids) {
      GW_TRY(const Upload part, read_of_client(connection, client, id, now));
      const bool is_first = begins.empty();
      begins.push_back(joined.length);
      joined.length += part.length;
      if (is_first) known = part.joined_into;
      if (!part.is_partial() || !part.is_whole() || part.joined_into != known)
        return Error(Code::invalid, "only whole partial uploads can be joined, and only once");
    }
    if (!known.empty()) return {};
    if (joined.length > kUploadMax) return Error(Code::invalid, "joined they are too long");
    joined.received = joined.length;
    GW_CHECK(insert_upload(connection, joined));
    for (std::size_t i = 0; i < ids.size(); ++i)
      GW_CHECK(join_parts(connection, ids[i], joined.id, begins[i]));
    return {};
  };
  GW_CHECK(holdings.database().write(put_together));
  if (known.empty()) return joined;
  GW_TRY(Upload before, find(holdings, client, known));
  if (tus::joined_paths(before.concat) != tus::joined_paths(concat))
    return Error(Code::invalid, "they were joined in another way already");
  return before;
}

core::Result<Upload> Uploads::find(Holdings& holdings, const std::string& client,
                                   const std::string& id) {
  if (const auto stream = running(id)) GW_CHECK(stream->commit());
  const std::string now = core::to_instant(clock_.wall());
  return holdings.database().read_value<Upload>(
      [&](Connection& connection) { return read_of_client(connection, client, id, now); });
}

core::Result<Upload> Uploads::halt(Holdings& holdings, const std::string& client,
                                   const std::string& id) {
  GW_TRY(const Upload theirs, find(holdings, client, id));
  if (const auto stream = running(id)) GW_CHECK(stream->end());
  return find(holdings, client, theirs.id);
}

core::Result<std::shared_ptr<UploadStream>> Uploads::resume(std::shared_ptr<Holdings> holdings,
                                                            const std::string& client,
                                                            const std::string& id,
                                                            std::uint64_t offset) {
  if (const auto stream = running(id)) GW_CHECK(stream->end());
  GW_TRY(const Upload upload, find(*holdings, client, id));
  if (tus::joined_paths(upload.concat))
    return Error(Code::exists, "it was joined from others; nothing can be added");
  if (upload.received != offset || upload.stored || !upload.joined_into.empty())
    return Error(Code::refused, "the upload stands at another offset; ask where (HEAD)");
  auto stream = std::make_shared<UploadStream>(std::move(holdings), clock_, upload);
  const std::lock_guard lock(mutex_);
  running_[id] = stream;
  return stream;
}

core::Result<Upload> Uploads::end(Holdings& holdings, const std::string& client,
                                  UploadStream& stream) {
  const core::Status kept = stream.end();
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(stream.id());
    if (found != running_.end() && found->second.get() == &stream) running_.erase(found);
  }
  GW_CHECK(kept);
  return find(holdings, client, stream.id());
}

core::Result<Upload> Uploads::store(std::shared_ptr<Holdings> holdings, const Uploader& from,
                                    const std::string& id) {
  crypto::Database& database = holdings->database();
  GW_TRY(Upload upload, find(*holdings, from.client, id));
  if (upload.stored) return upload;
  GW_TRY(auto parts, database.read_value<std::vector<std::string>>(
                         [&](Connection& connection) { return parts_of(connection, id); }));
  core::Status taken = verify(holdings->objects(), parts, upload.metadata);
  if (taken.ok()) {
    PartsReader reader(holdings->objects(), std::move(parts));
    const auto outcome = take_(holdings, from, [&] { return reader.next(); });
    if (!outcome.ok()) taken = outcome.error();
  }
  const bool is_hopeless = !taken.ok() && (taken.error().code() == Code::corrupt ||
                                           taken.error().code() == Code::invalid);
  if (!taken.ok() && !is_hopeless) return taken.error();
  GW_CHECK(database.write([&](Connection& connection) {
    return is_hopeless ? drop_upload(connection, id) : end_upload(connection, id);
  }));
  // The upkeep does what this does not come to.
  const auto shredded = shred_doomed(database, holdings->objects(), clock_, [] { return false; });
  if (!shredded.ok()) core::log_warn("upload", shredded.error().message());
  if (is_hopeless) return taken.error();
  upload.stored = true;
  return upload;
}

core::Status Uploads::remove(Holdings& holdings, const std::string& client, const std::string& id) {
  if (const auto stream = running(id)) GW_CHECK(stream->end());
  GW_CHECK(find(holdings, client, id));
  return holdings.database().write(
      [&](Connection& connection) { return drop_upload(connection, id); });
}

}  // namespace gateway::sync
