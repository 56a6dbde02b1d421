#include "sync/resumable_sender.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "core/text.h"
#include "crypto/digest.h"
#include "sync/async_write.h"
#include "sync/data_set_digest.h"
#include "sync/peer_answer.h"
#include "sync/tus.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;
using crypto::Connection;

constexpr std::uint64_t kMegabyte = 1U << 20;
// Small enough that none is long alone at the end; and all of a large one's names go in one head.
constexpr std::uint64_t kSegmentMin = 4 * kMegabyte;
constexpr std::uint64_t kSegmentsMax = 64;
// Of one request: an urgent image waits no longer for the connection.
constexpr std::uint64_t kRequestMax = 4 * kMegabyte;
// A turn, after which urgent images go first.
constexpr core::Milliseconds kTurn{300'000};
constexpr core::Milliseconds kNoRoomFor{60'000};
constexpr int kFruitlessMax = 3;
constexpr int kOtherDigest = 460;  // tus: Checksum Mismatch
constexpr std::size_t kPiece = 256U << 10;

/// Bytes of the instance that go as one upload.
struct Segment {
  std::uint64_t begin = 0;
  std::uint64_t length = 0;
  std::string path;          // of the upload; empty: none was begun
  std::uint64_t offset = 0;  // of the segment's bytes that are there
  bool is_known = false;     // the offset is what the server said
};

class SegmentSource final : public core::net::BodySource {
 public:
  SegmentSource(std::shared_ptr<crypto::SealedReader> reader, std::uint64_t begin,
                std::uint64_t length)
      : reader_(std::move(reader)), at_(begin), size_(length), left_(length) {}
  std::uint64_t size() const override { return size_; }
  core::Result<std::size_t> read(std::span<std::byte> bytes) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    GW_TRY(const std::size_t got, reader_->read(at_, bytes.first(wanted)));
    at_ += got;
    left_ -= got;
    return got;
  }

 private:
  const std::shared_ptr<crypto::SealedReader> reader_;
  std::uint64_t at_;
  const std::uint64_t size_;
  std::uint64_t left_;
};

/// One instance on its way.
struct Sending {
  OutboxRow row;
  std::string object;
  std::uint64_t size = 0;
  core::Monotonic until;
  std::vector<Segment> segments = {};
  std::size_t next = 0;       // segment that nobody took on
  std::string metadata = {};  // of an upload that is the whole instance
  bool joins = false;         // the segments are joined in the end
  bool progressed = false;
  bool is_out_of_time = false;
  std::optional<RowOutcome> stopped = {};  // why nothing more is sent

  void stop(Delivery result, std::string reason) {
    if (!stopped) stopped = ended(row, result, std::move(reason));
  }
  void stop(const core::Error& error) {
    if (!stopped) stopped = outcome_of_error(row.number, error);
  }
};

std::vector<Segment> plan(std::uint64_t size, bool joins) {
  const std::uint64_t least = (size + kSegmentsMax - 1) / kSegmentsMax;
  const std::uint64_t length =
      joins ? std::max(kSegmentMin, (least + kMegabyte - 1) / kMegabyte * kMegabyte) : size;
  std::vector<Segment> segments;
  for (std::uint64_t begin = 0; begin < size; begin += length)
    segments.push_back({begin, std::min(length, size - begin), "", 0, false});
  return segments;
}

class Sender final : public ResumableSender {
 public:
  Sender(std::string uplink, ResumableTarget target, std::shared_ptr<Holdings> holdings,
         const core::Clock& clock)
      : uplink_(std::move(uplink)),
        target_(std::move(target)),
        holdings_(std::move(holdings)),
        clock_(clock) {}

  bool takes(const OutboxRow& row) const override { return row.bytes > target_.over_bytes; }
  void close() override { target_.server->close(); }

  bool has_begun(const OutboxRow& row) const override {
    const auto known = read_paths(row);
    return known.ok() && !known->empty();
  }

  Awaitable<RowOutcome> send(OutboxRow row, std::string object) override {
    Sending sending{.row = row, .object = std::move(object), .until = clock_.monotonic() + kTurn};
    co_await prepare(sending);
    if (!sending.stopped) {
      using namespace boost::asio::experimental::awaitable_operators;
      co_await (send_segments(sending) && send_segments(sending) && send_segments(sending) &&
                send_segments(sending));
    }
    if (!sending.stopped && !sending.is_out_of_time && sending.joins) co_await join(sending);
    RowOutcome outcome = conclude(sending);
    if (outcome.result == Delivery::delivered || outcome.result == Delivery::refused)
      co_await forget(sending);
    co_return outcome;
  }

 private:
  static RowOutcome conclude(const Sending& sending) {
    const bool broke = sending.stopped && (sending.stopped->result == Delivery::unreached ||
                                           sending.stopped->result == Delivery::lost);
    if (sending.is_out_of_time || (broke && sending.progressed))
      return ended(sending.row, Delivery::begun, "a part of it is at the hub");
    if (sending.stopped) return *sending.stopped;
    return ended(sending.row, Delivery::delivered, "");
  }

  Awaitable<void> prepare(Sending& sending) {
    const auto reader = holdings_->objects().open_object(sending.object);
    if (!reader.ok()) {
      sending.stop(Delivery::refused, reader.error().message());
      co_return;
    }
    sending.size = (*reader)->size();
    if (!server_joins_) co_await ask_what_it_does(sending);
    if (sending.stopped) co_return;
    sending.joins = *server_joins_ && sending.size > kSegmentMin;
    sending.segments = plan(sending.size, sending.joins);
    const auto known = read_paths(sending.row);
    if (!known.ok()) {
      sending.stop(Delivery::failed, known.error().message());
      co_return;
    }
    for (Segment& segment : sending.segments) {
      for (const Segment& begun : *known) {
        if (begun.begin == segment.begin && begun.length == segment.length)
          segment.path = begun.path;
      }
    }
  }

  Awaitable<void> ask_what_it_does(Sending& sending) {
    core::net::Headers none;
    auto answer = co_await ask("OPTIONS", target_.path, std::move(none));
    if (!answer.ok()) {
      sending.stop(answer.error());
      co_return;
    }
    const std::string_view extensions = answer->header("Tus-Extension");
    if (!tus::lists(extensions, "creation")) {
      stop_at(sending, *answer, "no server of resumable uploads");
      co_return;
    }
    server_joins_ = tus::lists(extensions, "concatenation");
  }

  /// One of several at once, each taking the next segment.
  Awaitable<void> send_segments(Sending& sending) {
    while (!sending.stopped && !sending.is_out_of_time && sending.next < sending.segments.size()) {
      Segment& segment = sending.segments[sending.next++];
      co_await send_segment(sending, segment);
    }
  }

  Awaitable<void> send_segment(Sending& sending, Segment& segment) {
    auto opened = holdings_->objects().open_object(sending.object);
    if (!opened.ok()) {
      sending.stop(Delivery::refused, opened.error().message());
      co_return;
    }
    const std::shared_ptr<crypto::SealedReader> reader = std::move(*opened);
    int fruitless = 0;
    while (!sending.stopped) {
      if (!segment.path.empty() && !segment.is_known) co_await locate(sending, segment);
      if (sending.stopped) co_return;
      if (segment.path.empty()) co_await begin(sending, segment);
      if (sending.stopped || (segment.is_known && segment.offset == segment.length)) co_return;
      sending.is_out_of_time = sending.is_out_of_time || clock_.monotonic() >= sending.until;
      if (sending.is_out_of_time) co_return;
      const std::uint64_t before = segment.offset;
      co_await send_bytes(sending, segment, reader);
      if (!segment.path.empty() && !segment.is_known && !sending.stopped)
        co_await locate(sending, segment);
      const bool moved = segment.offset > before;
      sending.progressed = sending.progressed || moved;
      fruitless = moved ? 0 : fruitless + 1;
      if (fruitless == kFruitlessMax)
        sending.stop(Delivery::failed, "the hub takes no bytes of the instance");
    }
  }

  /// Where it stands there.
  Awaitable<void> locate(Sending& sending, Segment& segment) {
    core::net::Headers none;
    auto answer = co_await ask("HEAD", segment.path, std::move(none));
    if (!answer.ok()) {
      sending.stop(answer.error());
      co_return;
    }
    if (is_gone(*answer)) {
      start_over(sending, segment, *answer);
      co_return;
    }
    const auto offset = tus::count_of(answer->header("Upload-Offset"));
    if (answer->status / 100 != 2 || !offset || *offset > segment.length) {
      stop_at(sending, *answer, "where an upload stands");
      co_return;
    }
    segment.offset = *offset;
    segment.is_known = true;
  }

  Awaitable<void> begin(Sending& sending, Segment& segment) {
    // Of what goes whole the hub is told the digest.
    if (!sending.joins && sending.metadata.empty()) {
      auto digest = co_await digest_of(sending.object);
      if (!digest.ok()) {
        sending.stop(Delivery::refused, digest.error().message());
        co_return;
      }
      sending.metadata = metadata_of(*digest);
    }
    core::net::Headers headers = {{"Upload-Length", cat(segment.length)}};
    if (sending.joins) headers.emplace_back("Upload-Concat", "partial");
    if (!sending.metadata.empty()) headers.emplace_back("Upload-Metadata", sending.metadata);
    auto answer = co_await ask("POST", target_.path, std::move(headers));
    if (!answer.ok()) {
      sending.stop(answer.error());
      co_return;
    }
    const std::string_view location = answer->header("Location");
    if (answer->status != 201 || location.empty()) {
      stop_at(sending, *answer, "a new upload");
      co_return;
    }
    segment.path = tus::path_of_url(location, target_.path);
    segment.offset = 0;
    segment.is_known = true;
    // Before the first byte goes: it would be in vain if we forgot where.
    crypto::Change note = [uplink = uplink_, row = sending.row.subject,
                           segment](Connection& connection) {
      return connection.run(
          "INSERT OR REPLACE INTO resumable_segment (uplink, instance, begin, length, path)"
          " VALUES (?, CAST(? AS INTEGER), ?, ?, ?)",
          uplink, row, segment.begin, segment.length, segment.path);
    };
    const core::Status noted = co_await write_async(holdings_->database(), std::move(note));
    if (!noted.ok()) sending.stop(Delivery::failed, noted.error().message());
  }

  Awaitable<void> send_bytes(Sending& sending, Segment& segment,
                             std::shared_ptr<crypto::SealedReader> reader) {
    const std::uint64_t bytes = std::min(kRequestMax, segment.length - segment.offset);
    HttpRequest request;
    request.method = "PATCH";
    request.target = segment.path;
    request.headers = {{"Tus-Resumable", tus::kVersion},
                       {"Upload-Offset", cat(segment.offset)},
                       {"Content-Type", tus::kBytesType}};
    request.source =
        std::make_unique<SegmentSource>(std::move(reader), segment.begin + segment.offset, bytes);
    segment.is_known = false;
    auto answer = co_await target_.server->send(std::move(request));
    if (!answer.ok()) {
      // Some of it may be there: it is asked for, unless nobody answers.
      if (answer.error().code() != Code::lost_answer) sending.stop(answer.error());
      co_return;
    }
    const auto offset = tus::count_of(answer->header("Upload-Offset"));
    if (answer->status / 100 == 2 && offset && *offset <= segment.length) {
      segment.offset = *offset;
      segment.is_known = true;
    } else if (is_gone(*answer)) {
      start_over(sending, segment, *answer);
    } else if (answer->status != 409 && answer->status != 423) {
      stop_at(sending, *answer, "bytes of the instance");
    }
  }

  Awaitable<void> join(Sending& sending) {
    auto digest = co_await digest_of(sending.object);
    if (!digest.ok()) {
      sending.stop(Delivery::refused, digest.error().message());
      co_return;
    }
    std::string concat = "final;";
    for (const Segment& segment : sending.segments)
      concat += cat(concat.ends_with(';') ? "" : " ", segment.path);
    core::net::Headers headers = {{"Upload-Concat", concat},
                                  {"Upload-Metadata", metadata_of(*digest)}};
    auto answer = co_await ask("POST", target_.path, std::move(headers));
    if (!answer.ok()) {
      sending.stop(answer.error());
    } else if (is_gone(*answer)) {
      co_await forget(sending);
      sending.stop(Delivery::failed, "the hub has not got what was sent; it is sent again");
    } else if (answer->status != 201) {
      stop_at(sending, *answer, "the whole instance");
    }
  }

  /// The upload is there no more: it expired, or what came was not what was announced.
  static bool is_gone(const HttpResponse& answer) {
    return answer.status == 404 || answer.status == 410 || answer.status == kOtherDigest;
  }
  static void start_over(Sending& sending, Segment& segment, const HttpResponse& answer) {
    segment.path.clear();
    segment.offset = 0;
    if (answer.status == kOtherDigest)
      sending.stop(Delivery::failed, "the hub got other bytes than were sent; they are sent again");
  }

  /// What an answer means that is none of those asked for.
  static void stop_at(Sending& sending, const HttpResponse& answer, std::string_view asked) {
    std::string why = not_serving(answer, "text/plain");
    Delivery result = Delivery::unreached;
    if (why.empty()) {
      why = cat("the hub answered ", answer.status, " when asked for ", asked);
      const bool is_refused = answer.status == 400 || answer.status == 413 ||
                              answer.status == 415 || answer.status == 422;
      const bool is_elsewhere = answer.status == 404 || answer.status == 405 ||
                                answer.status == 412 || answer.status / 100 == 3;
      if (is_elsewhere) why += "; check resumable_url of this uplink";
      if (answer.status == 507) why += ": it has no room";
      result = is_refused     ? Delivery::refused
               : is_elsewhere ? Delivery::unreached
                              : Delivery::failed;
    }
    // It says nothing of the instance: that waits for room as long as it takes.
    const bool is_full = answer.status == 507;
    if (is_full) result = Delivery::begun;
    sending.stop(result, std::move(why));
    sending.stopped->retry_after = retry_after(answer);
    if (is_full && !sending.stopped->retry_after) sending.stopped->retry_after = kNoRoomFor;
  }

  Awaitable<core::Result<HttpResponse>> ask(std::string method, std::string path,
                                            core::net::Headers headers) {
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(path);
    request.headers = std::move(headers);
    request.headers.emplace_back("Tus-Resumable", tus::kVersion);
    auto answer = co_await target_.server->send(std::move(request));
    co_return answer;
  }

  static std::string metadata_of(const std::string& digest) {
    return cat(tus::metadata_pair("filetype", "application/dicom"), ',',
               tus::metadata_pair(tus::kDigestKey, digest));
  }

  /// The loop has other work in between.
  Awaitable<core::Result<std::string>> digest_of(std::string object) {
    GW_CO_TRY(const auto reader, holdings_->objects().open_object(object));
    crypto::Sha256 sum;
    std::vector<std::byte> piece(kPiece);
    for (std::uint64_t at = 0; at < reader->size();) {
      GW_CO_TRY(const std::size_t got, reader->read(at, piece));
      if (got == 0) co_return core::Error(Code::corrupt, "the object ends before its size");
      sum.update(std::span(piece).first(got));
      at += got;
      co_await boost::asio::post(boost::asio::use_awaitable);
    }
    co_return digest_text(sum.finish());
  }

  core::Result<std::vector<Segment>> read_paths(const OutboxRow& row) const {
    return holdings_->database().read_value<std::vector<Segment>>(
        [&](Connection& connection) -> core::Result<std::vector<Segment>> {
          GW_TRY(auto rows, connection.query("SELECT begin, length, path FROM resumable_segment"
                                             " WHERE uplink = ? AND instance = CAST(? AS INTEGER)",
                                             uplink_, row.subject));
          std::vector<Segment> known;
          while (true) {
            GW_TRY(const bool more, rows.next());
            if (!more) return known;
            known.push_back({static_cast<std::uint64_t>(rows.integer(0)),
                             static_cast<std::uint64_t>(rows.integer(1)), std::string(rows.text(2)),
                             0, false});
          }
        });
  }

  /// What stays behind is harmless: the server forgets it too.
  Awaitable<void> forget(Sending& sending) {
    crypto::Change drop = [uplink = uplink_, row = sending.row.subject](Connection& connection) {
      return connection.run(
          "DELETE FROM resumable_segment WHERE uplink = ? AND instance = CAST(? AS INTEGER)",
          uplink, row);
    };
    (void)co_await write_async(holdings_->database(), std::move(drop));
  }

  const std::string uplink_;
  const ResumableTarget target_;
  const std::shared_ptr<Holdings> holdings_;
  const core::Clock& clock_;
  std::optional<bool> server_joins_;  // once it was asked
};

}  // namespace

std::unique_ptr<ResumableSender> ResumableSender::create(std::string uplink, ResumableTarget target,
                                                         std::shared_ptr<Holdings> holdings,
                                                         const core::Clock& clock) {
  return std::make_unique<Sender>(std::move(uplink), std::move(target), std::move(holdings), clock);
}

}  // namespace gateway::sync
