// The first part of a multipart/related answer (RFC 2387, RFC 2046 5.1.1), handed on as it arrives:
// memory stays at one piece whatever the size. Pure.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>

#include "core/result.h"

namespace gateway::sync {

class MultipartReader {
 public:
  using Take = std::function<core::Status(std::span<const std::byte>)>;

  /// The boundary is the body's first line, as every multipart without a preamble begins.
  explicit MultipartReader(Take take) : take_(std::move(take)) {}

  /// The body's next bytes. Errors of `take` pass through; Code::invalid for what is no multipart.
  core::Status feed(std::span<const std::byte> bytes);
  /// The first part was whole: its closing boundary came.
  bool whole() const { return state_ == State::rest; }

 private:
  enum class State { boundary, headers, content, rest };
  core::Status hand_on(std::size_t count);

  Take take_;
  State state_ = State::boundary;
  std::string delimiter_;  // CRLF, two dashes, boundary
  std::string held_;       // not yet understood
};

}  // namespace gateway::sync
