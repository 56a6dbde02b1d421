#include "daemon/api/dicomweb/bodies.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon::dicomweb {

using adapters::dicom::HeldInstance;
using adapters::dicom::MediaExport;
using core::cat;
using core::Code;
using core::net::Awaitable;
using core::net::BodyStream;

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

std::string part_head(const std::string& boundary, const std::string& content_type) {
  return cat("--", boundary, "\r\nContent-Type: ", content_type, "\r\n\r\n");
}
std::string last_line(const std::string& boundary) { return cat("--", boundary, "--\r\n"); }

/// What they have in common: an error ends them for good.
class Body : public BodyStream {
 protected:
  bool is_broken() const { return broken_; }

  std::string give_up(const core::Error& error) {
    core::log_warn("api", cat("a DICOMweb answer was broken off: ", error.message()));
    broken_ = true;
    return {};
  }

 private:
  bool broken_ = false;
};

class Instances final : public Body {
 public:
  Instances(Source source, std::vector<GivenInstance> instances, std::string boundary)
      : source_(std::move(source)),
        instances_(std::move(instances)),
        boundary_(std::move(boundary)) {}

  Awaitable<std::string> next() override {
    while (true) {
      if (current_) {
        auto piece = current_->read(offset_, kPieceBytes);
        if (!piece.ok()) co_return give_up(piece.error());
        offset_ += piece->size();
        if (!piece->empty()) co_return std::move(*piece);
        close();
        co_return "\r\n";
      }
      if (next_ == instances_.size()) co_return end();
      while (!try_open()) {
        if (is_broken()) co_return std::string();
        co_await a_moment();
      }
      if (!current_) continue;
      const std::string& syntax = instances_[next_ - 1].transfer_syntax;
      co_return part_head(boundary_, cat("application/dicom; transfer-syntax=", syntax));
    }
  }

 private:
  /// False: not yet, or it is broken off. True without one: it has gone meanwhile.
  bool try_open() {
    const auto turn = source_.memory->try_turn();
    if (!turn.owns_lock()) return false;
    const GivenInstance& given = instances_[next_];
    auto opened =
        MediaExport::open(*source_.holdings, source_.clock, given.row, given.transfer_syntax);
    if (!opened.ok() && opened.error().code() != Code::not_found) {
      (void)give_up(opened.error());
      return false;
    }
    ++next_;
    if (!opened.ok()) return true;
    current_ = std::move(*opened);
    offset_ = 0;
    held_ = source_.memory->take(current_->memory());
    return true;
  }
  void close() {
    current_.reset();
    held_.reset();
  }
  std::string end() {
    if (std::exchange(ended_, true)) return {};
    return last_line(boundary_);
  }

  const Source source_;
  const std::vector<GivenInstance> instances_;
  const std::string boundary_;
  std::size_t next_ = 0;
  std::unique_ptr<MediaExport> current_;
  Memory::Held held_;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

class Metadata final : public Body {
 public:
  Metadata(Source source, std::vector<std::int64_t> rows, std::string base)
      : source_(std::move(source)), rows_(std::move(rows)), base_(std::move(base)) {}

  Awaitable<std::string> next() override {
    held_.reset();
    while (next_ < rows_.size()) {
      const auto turn = source_.memory->try_turn();
      if (!turn.owns_lock()) {
        co_await a_moment();
        continue;
      }
      auto instance = HeldInstance::open(*source_.holdings, source_.clock, rows_[next_++]);
      if (!instance.ok() && instance.error().code() == Code::not_found) continue;
      if (!instance.ok()) co_return give_up(instance.error());
      const sync::ArchiveInstance& about = (*instance)->about();
      const auto json = (*instance)->metadata(cat(base_, "/studies/", about.study_uid, "/series/",
                                                  about.series_uid, "/instances/",
                                                  about.sop_instance_uid, "/bulkdata"));
      if (!json.ok()) co_return give_up(json.error());
      std::string piece = cat(std::exchange(begun_, true) ? "," : "[", json->dump());
      held_ = source_.memory->take(piece.size());
      co_return piece;
    }
    if (std::exchange(ended_, true)) co_return std::string();
    co_return begun_ ? "]" : "[]";
  }

 private:
  const Source source_;
  const std::vector<std::int64_t> rows_;
  const std::string base_;
  Memory::Held held_;
  std::size_t next_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

class Frames final : public Body {
 public:
  Frames(OpenInstance open, std::vector<std::uint32_t> frames, bool as_held,
         std::string content_type, std::string boundary)
      : open_(std::move(open)),
        frames_(std::move(frames)),
        as_held_(as_held),
        content_type_(std::move(content_type)),
        boundary_(std::move(boundary)) {}

  Awaitable<std::string> next() override {
    held_.reset();
    if (next_ == frames_.size()) {
      if (std::exchange(ended_, true)) co_return std::string();
      co_return last_line(boundary_);
    }
    auto turn = open_.memory->try_turn();
    while (!turn.owns_lock()) {
      co_await a_moment();
      turn = open_.memory->try_turn();
    }
    const auto frame = open_.instance->frame(frames_[next_], as_held_);
    if (!frame.ok()) co_return give_up(frame.error());
    ++next_;
    held_ = open_.memory->take(frame->size());
    co_return cat(part_head(boundary_, content_type_), *frame, "\r\n");
  }

 private:
  const OpenInstance open_;
  Memory::Held held_;
  const std::vector<std::uint32_t> frames_;
  const bool as_held_;
  const std::string content_type_;
  const std::string boundary_;
  std::size_t next_ = 0;
  bool ended_ = false;
};

class Value final : public Body {
 public:
  Value(OpenInstance open, std::string place, std::string boundary)
      : open_(std::move(open)), place_(std::move(place)), boundary_(std::move(boundary)) {}

  Awaitable<std::string> next() override {
    if (ended_) co_return std::string();
    const auto piece = open_.instance->bulk(place_, offset_, kPieceBytes);
    if (!piece.ok()) co_return give_up(piece.error());
    const std::string head =
        offset_ == 0 ? part_head(boundary_, "application/octet-stream") : std::string();
    offset_ += piece->size();
    ended_ = piece->size() < kPieceBytes;
    co_return cat(head, *piece, ended_ ? cat("\r\n", last_line(boundary_)) : std::string());
  }

 private:
  const OpenInstance open_;
  const std::string place_;
  const std::string boundary_;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

class Made final : public BodyStream {
 public:
  Made(Memory& memory, std::string body)
      : held_(memory.take(body.size())), body_(std::move(body)) {}

  Awaitable<std::string> next() override {
    std::string piece = body_.substr(at_, kPieceBytes);
    at_ += piece.size();
    co_return piece;
  }

 private:
  const Memory::Held held_;
  const std::string body_;
  std::size_t at_ = 0;
};

}  // namespace

std::shared_ptr<BodyStream> stream_instances(Source source, std::vector<GivenInstance> instances,
                                             std::string boundary) {
  return std::make_shared<Instances>(std::move(source), std::move(instances), std::move(boundary));
}

std::shared_ptr<BodyStream> stream_metadata(Source source, std::vector<std::int64_t> rows,
                                            std::string base) {
  return std::make_shared<Metadata>(std::move(source), std::move(rows), std::move(base));
}

std::shared_ptr<BodyStream> stream_frames(OpenInstance open, std::vector<std::uint32_t> frames,
                                          bool as_held, std::string content_type,
                                          std::string boundary) {
  return std::make_shared<Frames>(std::move(open), std::move(frames), as_held,
                                  std::move(content_type), std::move(boundary));
}

std::shared_ptr<BodyStream> stream_value(OpenInstance open, std::string place,
                                         std::string boundary) {
  return std::make_shared<Value>(std::move(open), std::move(place), std::move(boundary));
}

std::shared_ptr<BodyStream> stream_whole(Memory& memory, std::string body) {
  return std::make_shared<Made>(memory, std::move(body));
}

Awaitable<void> a_moment() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  std::chrono::milliseconds(10));
  (void)co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace gateway::daemon::dicomweb
