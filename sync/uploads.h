// Resumable uploads taken in as a hub (tus 1.0): the bytes of each are sealed and on the disk
// before an offset is acknowledged, and the whole is verified and goes through ingest before the
// last one is. So a kill of either side at any moment costs what was not acknowledged, and never
// shows an upload as complete that is no instance yet.
//
// Blocking; thread-safe, but one UploadStream is appended to by one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/upload_rows.h"

namespace gateway::sync {

inline constexpr std::uint64_t kUploadMax = UINT64_C(64) << 30;
inline constexpr std::int64_t kOpenUploadsMax = 512;  // of one client

/// Who uploads.
struct Uploader {
  std::string client;
  std::string address;
};

/// Takes in the DICOM file whose bytes `next` gives, empty at the end; returns once it is
/// committed. Code::invalid: it is none, and never will be.
using TakeFile = std::function<core::Result<StoreOutcome>(
    std::shared_ptr<Holdings> holdings, const Uploader& from,
    const std::function<core::Result<std::span<const std::byte>>()>& next)>;

/// The bytes of one request, behind those that are there.
class UploadStream {
 public:
  UploadStream(std::shared_ptr<Holdings> holdings, const core::Clock& clock, const Upload& upload)
      : holdings_(std::move(holdings)), clock_(clock), upload_(upload) {}

  /// Code::invalid: more than the upload is long; Code::refused: another request goes on with it.
  core::Status append(std::span<const std::byte> bytes);
  /// What came so far is on the disk and counts.
  core::Status commit();
  /// The same, and nothing more is taken.
  core::Status end();
  const std::string& id() const { return upload_.id; }

 private:
  core::Status append_within(std::span<const std::byte> bytes);
  core::Status commit_locked();

  std::mutex mutex_;
  const std::shared_ptr<Holdings> holdings_;
  const core::Clock& clock_;
  Upload upload_;  // `received` grows with each commit
  std::unique_ptr<crypto::SealedWriter> part_;
  std::uint64_t in_part_ = 0;
  std::optional<core::Error> ended_;
};

class Uploads {
 public:
  /// `clock` outlives it.
  Uploads(const core::Clock& clock, TakeFile take) : clock_(clock), take_(std::move(take)) {}
  /// What came of requests that were broken off by the end counts.
  ~Uploads();
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  /// Code::no_space: the disk has no room for it and those that are open; Code::busy: the client
  /// has too many open.
  core::Result<Upload> create(Holdings& holdings, const std::string& client, std::uint64_t length,
                              const std::string& metadata, const std::string& concat);
  /// One upload of whole partial ones, in this order; again: the same. Code::invalid: one of them
  /// is not whole or cannot be joined.
  core::Result<Upload> join(Holdings& holdings, const std::string& client,
                            const std::vector<std::string>& ids, const std::string& metadata,
                            const std::string& concat);
  /// With what came of it in a request that still hangs. Code::not_found: the client has no such
  /// upload, or it expired.
  core::Result<Upload> find(Holdings& holdings, const std::string& client, const std::string& id);
  /// The same for a client that is about to go on: a request that still hangs is not heard any
  /// more, so that it stands there until the client does.
  core::Result<Upload> halt(Holdings& holdings, const std::string& client, const std::string& id);
  /// Goes on at `offset`; a request that still hangs is not heard any more. Code::refused: it
  /// stands elsewhere.
  core::Result<std::shared_ptr<UploadStream>> resume(std::shared_ptr<Holdings> holdings,
                                                     const std::string& client,
                                                     const std::string& id, std::uint64_t offset);
  /// What came is on the disk and counts.
  core::Result<Upload> end(Holdings& holdings, const std::string& client, UploadStream& stream);
  /// Verifies a whole one and takes it in; again: nothing more. Code::corrupt: the digest is
  /// another; Code::invalid: it is no DICOM file: either way the upload is gone. Anything else: try
  /// again.
  core::Result<Upload> store(std::shared_ptr<Holdings> holdings, const Uploader& from,
                             const std::string& id);
  core::Status remove(Holdings& holdings, const std::string& client, const std::string& id);

 private:
  std::shared_ptr<UploadStream> running(const std::string& id);
  std::string expiry() const;

  const core::Clock& clock_;
  const TakeFile take_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<UploadStream>> running_;  // guarded by mutex_
};

}  // namespace gateway::sync
