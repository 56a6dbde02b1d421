#include "adapters/dicom/data_set_scanner.h"

#include <algorithm>

namespace gateway::adapters::dicom {

DataSetScanner::DataSetScanner(Encoding encoding, std::span<const Tag> wanted)
    : top_encoding_(encoding), wanted_(wanted) {}

DataSetScanner::Encoding DataSetScanner::encoding() const {
  return levels_.empty() ? top_encoding_ : levels_.back().encoding;
}

void DataSetScanner::feed(std::span<const std::byte> bytes) {
  while (!done_ && !bytes.empty())
    bytes = bytes.subspan(skip_ > 0 ? take_value(bytes) : take_header(bytes));
}

std::size_t DataSetScanner::take_value(std::span<const std::byte> bytes) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
  if (collecting_ != nullptr)
    collecting_->append(reinterpret_cast<const char*>(bytes.data()), taken);
  skip_ -= taken;
  if (skip_ == 0) collecting_ = nullptr;
  return taken;
}

std::size_t DataSetScanner::take_header(std::span<const std::byte> bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    header_[header_filled_++] = bytes[taken++];
    const auto header = parse_element_header(std::span(header_).first(header_filled_), encoding());
    if (!header) continue;
    header_filled_ = 0;
    begin_element(*header);
    break;
  }
  return taken;
}

void DataSetScanner::begin_element(const ElementHeader& header) {
  if (!header.is_valid) {
    done_ = true;
    return;
  }
  if (header.tag >> 16 == 0xfffe) return begin_item_or_delimiter(header);
  if (levels_.empty() && (wanted_.empty() || header.tag > wanted_.back())) {
    done_ = true;
    return;
  }
  if (header.length == kUndefinedLength) return begin_undefined_length(header);
  skip_ = header.length;
  const bool keep = levels_.empty() && header.length > 0 && header.length <= kValueBytesMax &&
                    std::binary_search(wanted_.begin(), wanted_.end(), header.tag);
  if (!keep) return;
  const auto [place, is_new] = values_.try_emplace(header.tag);
  if (is_new) collecting_ = &place->second;
}

// A sequence, encapsulated pixel data (whose fragments look like items), or UN, whose content is
// implicit little endian whatever surrounds it (PS3.5 6.2.2).
void DataSetScanner::begin_undefined_length(const ElementHeader& header) {
  levels_.push_back({false, header.is_unknown ? Encoding::implicit_little : encoding()});
  done_ = levels_.size() > kDepthMax;
}

void DataSetScanner::begin_item_or_delimiter(const ElementHeader& header) {
  if (header.tag == kItem && inside_sequence()) {
    if (header.length != kUndefinedLength) {
      skip_ = header.length;
      return;
    }
    levels_.push_back({true, encoding()});
    done_ = levels_.size() > kDepthMax;
    return;
  }
  const bool ends_item = header.tag == kItemDelimiter && !levels_.empty() && !inside_sequence();
  const bool ends_sequence = header.tag == kSequenceDelimiter && inside_sequence();
  if (ends_item || ends_sequence) {
    levels_.pop_back();
  } else {
    done_ = true;
  }
}

}  // namespace gateway::adapters::dicom
