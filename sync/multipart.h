// A multipart/related body (RFC 2387) of sealed objects, opened as they are sent: memory stays at
// one chunk whatever the size.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/net/http.h"
#include "core/result.h"
#include "crypto/objects.h"

namespace gateway::sync {

class MultipartSource final : public core::net::BodySource {
 public:
  /// `part_type` is each part's Content-Type; `boundary` must not occur in any part (make it
  /// random).
  MultipartSource(std::vector<std::unique_ptr<crypto::SealedReader>> parts, std::string part_type,
                  std::string boundary);

  std::uint64_t size() const override { return size_; }
  core::Result<std::size_t> read(std::span<std::byte> bytes) override;

 private:
  std::string head_of(std::size_t part) const;

  std::vector<std::unique_ptr<crypto::SealedReader>> parts_;
  std::string part_type_;
  std::string boundary_;
  std::uint64_t size_ = 0;
  std::size_t part_ =
      0;  // the next one to begin; parts_.size(): only the closing delimiter is left
  std::uint64_t part_offset_ = 0;
  bool in_part_ = false;
  bool closed_ = false;
  std::string text_;  // delimiter and part header still to go
};

}  // namespace gateway::sync
