#include "crypto/sealed_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

// Early enough that the last fdatasync of a single slice finds half of it written.
constexpr std::uint64_t kWritebackBytes = 256U << 10;
// From this chunk on an object is long: a thread for the writing pays.
constexpr std::uint64_t kLongChunks = 8;
constexpr std::uint64_t kLongWritebackBytes = 2U << 20;

}  // namespace

ChunkBuffers::Buffer ChunkBuffers::lend() {
  {
    std::lock_guard lock(mutex_);
    if (!kept_.empty()) {
      Buffer buffer = std::move(kept_.back());
      kept_.pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<std::byte[]>(kBytes);
}

void ChunkBuffers::give_back(Buffer buffer) {
  std::lock_guard lock(mutex_);
  if (kept_.size() < kKeptMax) kept_.push_back(std::move(buffer));
}

WriteBehind::WriteBehind(core::File& file)
    : file_(file),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(ChunkBuffers::kBytes)),
      thread_([this] { run(); }) {}

WriteBehind::~WriteBehind() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

core::Status WriteBehind::exchange(ChunkBuffers::Buffer& full, std::size_t offset,
                                   std::size_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty(); });
  if (!outcome_.ok()) return outcome_;
  std::swap(buffer_, full);
  waiting_ = {buffer_.get() + offset, size};
  lock.unlock();
  changed_.notify_all();
  return {};
}

core::Status WriteBehind::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty(); });
  return outcome_;
}

void WriteBehind::run() {
  std::uint64_t unwritten = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::span<const std::byte> bytes = waiting_;
    lock.unlock();
    core::Status written = file_.append(bytes);
    unwritten += bytes.size();
    if (unwritten >= kLongWritebackBytes) {
      file_.start_writeback();
      unwritten = 0;
    }
    lock.lock();
    if (outcome_.ok()) outcome_ = std::move(written);
    waiting_ = {};
    changed_.notify_all();
  }
}

ChunkSealer::ChunkSealer(ObjectFolder& folder, ChunkBuffers& buffers, ObjectFolder::Entry entry,
                         const ObjectHeader& header, AesGcm cipher,
                         std::shared_ptr<EpochLeases::Lease> lease)
    : folder_(folder),
      buffers_(buffers),
      lease_(std::move(lease)),
      entry_(std::move(entry)),
      header_(header),
      cipher_(std::move(cipher)),
      buffer_(buffers.lend()) {
  std::ranges::copy(write_header(header_), buffer_.get());
}

ChunkSealer::~ChunkSealer() {
  behind_.reset();
  buffers_.give_back(std::move(buffer_));
  if (finished_) return;
  entry_.file.reset();
  if (auto removed = folder_.remove_incoming(entry_.id); !removed.ok()) {
    core::log_warn("crypto", core::cat("an abandoned object stays until the next start: ",
                                       removed.error().message()));
  }
}

core::Status ChunkSealer::latch(core::Status status) {
  if (!status.ok()) failed_ = status.error();
  return status;
}

core::Status ChunkSealer::append(std::span<const std::byte> bytes) {
  assert(!sealed_);
  if (failed_) return *failed_;
  size_ += bytes.size();
  while (!bytes.empty()) {
    // A full chunk is sealed only when more follows: the last one is sealed as such.
    if (filled_ == kChunkBytes) GW_CHECK(latch(seal_chunk(false)));
    const std::size_t taken = std::min(kChunkBytes - filled_, bytes.size());
    std::memcpy(chunk().data() + filled_, bytes.data(), taken);
    filled_ += taken;
    bytes = bytes.subspan(taken);
  }
  return {};
}

core::Status ChunkSealer::seal_chunk(bool last) {
  if (chunks_ + 1 >= kChunksMax) {
    return core::Error(core::Code::invalid, "the object is longer than an object can be");
  }
  GW_CHECK(folder_.check_space(filled_));
  std::span sealed(buffer_.get() + kObjectHeaderBytes, filled_ + kTagBytes);
  GW_CHECK(cipher_.seal(chunk_nonce(header_, chunks_, last), header_.id, chunk().first(filled_),
                        sealed));
  // The header goes out with the first chunk, in one write.
  const std::size_t lead = chunks_ == 0 ? kObjectHeaderBytes : 0;
  GW_CHECK(write(kObjectHeaderBytes - lead, sealed.size() + lead, last));
  filled_ = 0;
  ++chunks_;
  return {};
}

core::Status ChunkSealer::write(std::size_t offset, std::size_t size, bool last) {
  if (chunks_ >= kLongChunks) {
    if (!behind_) behind_ = std::make_unique<WriteBehind>(*entry_.file);
    return behind_->exchange(buffer_, offset, size);
  }
  GW_CHECK(entry_.file->append({buffer_.get() + offset, size}));
  unwritten_ += size;
  if (last || unwritten_ >= kWritebackBytes) {
    entry_.file->start_writeback();
    unwritten_ = 0;
  }
  return {};
}

core::Status ChunkSealer::seal() {
  if (failed_) return *failed_;
  if (sealed_) return {};
  GW_CHECK(latch(seal_chunk(true)));
  sealed_ = true;
  return {};
}

core::Result<SealedObject> ChunkSealer::finish() {
  if (finished_) return SealedObject{entry_.id, size_};
  GW_CHECK(seal());
  if (behind_) GW_CHECK(latch(behind_->drain()));
  GW_CHECK(latch(entry_.file->sync()));
  // A day of images must not push the database out of memory, and pages just freed are the cheapest
  // for the next object.
  entry_.file->release_cached();
  finished_ = true;
  behind_.reset();
  entry_.file.reset();
  return SealedObject{entry_.id, size_};
}

}  // namespace gateway::crypto
