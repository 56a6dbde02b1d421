#include "adapters/dicom/data_set_scanner.h"

#include <algorithm>
#include <string_view>

namespace gateway::adapters::dicom {
namespace {

constexpr Tag kItem = 0xfffee000;
constexpr Tag kItemDelimiter = 0xfffee00d;
constexpr Tag kSequenceDelimiter = 0xfffee0dd;
constexpr std::uint32_t kUndefinedLength = 0xffffffff;

std::uint32_t number(std::span<const std::byte> bytes, bool big) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[big ? i : bytes.size() - 1 - i]);
  }
  return value;
}

// PS3.5 7.1.2: these have two reserved bytes and a 32-bit length.
bool has_long_length(std::string_view vr) {
  constexpr std::string_view kLong = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
  return kLong.find(vr) != std::string_view::npos;
}

bool is_vr(std::string_view vr) {
  return std::all_of(vr.begin(), vr.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

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
    const Header header = parse_header();
    if (header.size == 0) continue;
    header_filled_ = 0;
    begin_element(header);
    break;
  }
  return taken;
}

DataSetScanner::Header DataSetScanner::parse_header() const {
  Header header;
  if (header_filled_ < 8) return header;
  const bool big = encoding() == Encoding::explicit_big;
  const std::span<const std::byte> bytes(header_);
  header.tag = number(bytes.subspan(0, 2), big) << 16 | number(bytes.subspan(2, 2), big);
  if (header.tag >> 16 == 0xfffe || encoding() == Encoding::implicit_little) {
    header.length = number(bytes.subspan(4, 4), big);
    header.size = 8;
    return header;
  }
  const std::string_view vr(reinterpret_cast<const char*>(header_.data()) + 4, 2);
  header.is_valid = is_vr(vr);
  header.is_unknown = vr == "UN";
  if (!has_long_length(vr)) {
    header.length = number(bytes.subspan(6, 2), big);
    header.size = 8;
  } else if (header_filled_ == 12) {
    header.length = number(bytes.subspan(8, 4), big);
    header.size = 12;
  }
  return header;
}

void DataSetScanner::begin_element(const Header& header) {
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
void DataSetScanner::begin_undefined_length(const Header& header) {
  levels_.push_back({false, header.is_unknown ? Encoding::implicit_little : encoding()});
  done_ = levels_.size() > kDepthMax;
}

void DataSetScanner::begin_item_or_delimiter(const Header& header) {
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
