#include "sync/multipart.h"

#include <algorithm>
#include <cstring>

#include "core/text.h"

namespace gateway::sync {

MultipartSource::MultipartSource(std::vector<std::unique_ptr<crypto::SealedReader>> parts,
                                 std::string part_type, std::string boundary)
    : parts_(std::move(parts)), part_type_(std::move(part_type)), boundary_(std::move(boundary)) {
  for (std::size_t i = 0; i <= parts_.size(); ++i) size_ += head_of(i).size();
  for (const auto& part : parts_) size_ += part->size();
}

std::string MultipartSource::head_of(std::size_t part) const {
  if (part == parts_.size()) return core::cat("\r\n--", boundary_, "--\r\n");
  return core::cat(part == 0 ? "--" : "\r\n--", boundary_, "\r\nContent-Type: ", part_type_,
                   "\r\n\r\n");
}

core::Result<std::size_t> MultipartSource::read(std::span<std::byte> bytes) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const auto room = bytes.subspan(filled);
    if (!text_.empty()) {
      const std::size_t count = std::min(room.size(), text_.size());
      std::memcpy(room.data(), text_.data(), count);
      text_.erase(0, count);
      filled += count;
    } else if (in_part_) {
      GW_TRY(const std::size_t got, parts_[part_]->read(part_offset_, room));
      part_offset_ += got;
      filled += got;
      if (part_offset_ < parts_[part_]->size()) {
        if (got == 0) return core::Error(core::Code::corrupt, "an object ends before its size");
        continue;
      }
      in_part_ = false;
      parts_[part_].reset();
      ++part_;
    } else if (!closed_) {
      text_ = head_of(part_);
      if (part_ == parts_.size()) {
        closed_ = true;
      } else {
        in_part_ = true;
        part_offset_ = 0;
      }
    } else {
      break;
    }
  }
  return filled;
}

}  // namespace gateway::sync
