#include "sync/multipart_reader.h"

#include "core/text.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kHeaderMax = 16U << 10;
constexpr std::size_t kBoundaryMax = 70;  // RFC 2046 5.1.1

}  // namespace

core::Status MultipartReader::hand_on(std::size_t count) {
  if (count == 0) return {};
  GW_CHECK(take_(std::as_bytes(std::span(held_.data(), count))));
  held_.erase(0, count);
  return {};
}

core::Status MultipartReader::feed(std::span<const std::byte> bytes) {
  if (state_ == State::rest) return {};
  held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (state_ == State::boundary) {
    if (held_.starts_with("\r\n")) held_.erase(0, 2);
    const auto end = held_.find("\r\n");
    if (end == held_.npos && held_.size() <= kBoundaryMax + 4) return {};
    if (end == held_.npos || end < 3 || !held_.starts_with("--"))
      return core::Error(core::Code::invalid, "the answer is no multipart message");
    delimiter_ = core::cat("\r\n", core::trim(std::string_view(held_).substr(0, end)));
    held_.erase(0, end);  // the line's end stays: it may close an empty header block
    state_ = State::headers;
  }
  if (state_ == State::headers) {
    const auto end = held_.find("\r\n\r\n");
    if (end == held_.npos) {
      if (held_.size() <= kHeaderMax) return {};
      return core::Error(core::Code::invalid, "the answer's part has too long a header");
    }
    held_.erase(0, end + 4);
    state_ = State::content;
  }
  const auto end = held_.find(delimiter_);
  if (end == held_.npos) {
    // The end of what is here may be the beginning of the delimiter.
    const std::size_t kept = delimiter_.size() - 1;
    return hand_on(held_.size() > kept ? held_.size() - kept : 0);
  }
  GW_CHECK(hand_on(end));
  held_.clear();
  state_ = State::rest;
  return {};
}

}  // namespace gateway::sync
