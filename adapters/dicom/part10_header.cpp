#include "adapters/dicom/part10_header.h"

#include <cstdint>

#include "adapters/dicom/identity.h"

namespace gateway::adapters::dicom {
namespace {

constexpr std::size_t kPreambleBytes = 128;
constexpr std::size_t kGroupLengthElementBytes = 12;

class MetaWriter {
 public:
  explicit MetaWriter(std::vector<std::byte>& out) : out_(out) {}

  void text(std::string_view text) {
    for (const char c : text) out_.push_back(static_cast<std::byte>(c));
  }
  void number(std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) out_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
  }
  void element_head(std::uint32_t element, std::string_view vr, std::size_t length) {
    number(0x0002, 2);
    number(element, 2);
    text(vr);
    number(static_cast<std::uint32_t>(length), 2);
  }
  void element(std::uint32_t element, std::string_view vr, std::string_view value, char padding) {
    const bool odd = value.size() % 2 != 0;
    element_head(element, vr, value.size() + (odd ? 1 : 0));
    text(value);
    if (odd) out_.push_back(static_cast<std::byte>(padding));
  }

 private:
  std::vector<std::byte>& out_;
};

}  // namespace

std::vector<std::byte> part10_header(std::string_view sop_class_uid,
                                     std::string_view sop_instance_uid,
                                     std::string_view transfer_syntax_uid,
                                     const ObjectTitles& titles) {
  std::vector<std::byte> group;
  MetaWriter meta(group);
  // (0002,0001) File Meta Information Version, OB: two reserved bytes and a 32-bit length.
  meta.element_head(0x0001, "OB", 0);
  meta.number(2, 4);
  meta.number(0x0100, 2);
  meta.element(0x0002, "UI", sop_class_uid, '\0');
  meta.element(0x0003, "UI", sop_instance_uid, '\0');
  meta.element(0x0010, "UI", transfer_syntax_uid, '\0');
  meta.element(0x0012, "UI", kImplementationClassUid, '\0');
  meta.element(0x0013, "SH", kImplementationVersionName, ' ');
  if (!titles.source.empty()) meta.element(0x0016, "AE", titles.source, ' ');
  if (!titles.receiving.empty()) meta.element(0x0018, "AE", titles.receiving, ' ');

  std::vector<std::byte> header(kPreambleBytes);
  header.reserve(kPreambleBytes + 4 + kGroupLengthElementBytes + group.size());
  MetaWriter writer(header);
  writer.text("DICM");
  writer.element_head(0x0000, "UL", 4);
  writer.number(static_cast<std::uint32_t>(group.size()), 4);
  header.insert(header.end(), group.begin(), group.end());
  return header;
}

}  // namespace gateway::adapters::dicom
