#include "adapters/fields/file_kind.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

constexpr std::size_t kTailBytes = 1'024;  // some write blanks or a newline behind the end
constexpr std::size_t kDicomMark = 128;

bool begins_message(std::string_view text) {
  return text.starts_with("MSH") || text.starts_with("FHS") || text.starts_with("BHS");
}

/// Where the next marker of the entropy-coded data begins: FF that no zero or restart follows.
std::size_t end_of_scan(std::string_view bytes, std::size_t at) {
  while (true) {
    at = bytes.find('\xFF', at);
    if (at == bytes.npos || at + 1 == bytes.size()) return bytes.size();
    const auto code = static_cast<unsigned char>(bytes[at + 1]);
    if (code != 0 && (code < 0xD0 || code > 0xD7)) return at;
    at += 2;
  }
}

/// Segment by segment to EOI (ITU T.81 B.1.1): a preview inside has an FFD9 of its own, and phones
/// write megabytes behind the picture.
bool jpeg_reaches_end(std::string_view bytes) {
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (bytes[at] != '\xFF') {  // padding between segments, which every decoder passes over
      ++at;
      continue;
    }
    const auto code = static_cast<unsigned char>(bytes[at + 1]);
    if (code == 0xD9) return true;
    if (code == 0xFF || code == 0) {  // a fill byte, or no marker
      ++at;
      continue;
    }
    at += 2;
    if (code == 0x01 || (code >= 0xD0 && code <= 0xD7)) continue;
    if (at + 1 >= bytes.size()) return false;
    const std::size_t high = static_cast<unsigned char>(bytes[at]);
    at += high * 256 + static_cast<unsigned char>(bytes[at + 1]);
    if (code == 0xDA) at = end_of_scan(bytes, at);
  }
  return false;
}

std::string_view without_marks(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n\x0b");
  return first == text.npos ? std::string_view() : text.substr(first);
}

}  // namespace

FileKind kind_of(std::string_view begin) {
  if (begin.size() >= kDicomMark + 4 && begin.substr(kDicomMark, 4) == "DICM")
    return FileKind::dicom;
  if (begin.substr(0, kKindBytes).find("%PDF-") != begin.npos) return FileKind::pdf;
  if (begin.starts_with("\xFF\xD8\xFF")) return FileKind::jpeg;
  if (begin.starts_with("\x89PNG\r\n\x1A\n")) return FileKind::png;
  const std::string_view text = without_marks(begin);
  if (begins_message(text)) return FileKind::hl7;
  const bool is_utf16 = begin.starts_with("\xFF\xFE") || begin.starts_with("\xFE\xFF");
  if (text.starts_with('<') || (is_utf16 && begin.find('<') < 4)) return FileKind::xml;
  const bool is_text = std::none_of(begin.begin(), begin.end(), [](char c) {
    return c == '\0' || (c > 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n');
  });
  return is_text || is_utf16 ? FileKind::text : FileKind::unknown;
}

std::string_view media_type(FileKind kind) {
  switch (kind) {
    case FileKind::pdf:
      return "application/pdf";
    case FileKind::jpeg:
      return "image/jpeg";
    case FileKind::png:
      return "image/png";
    default:
      return {};
  }
}

bool reaches_end(FileKind kind, std::string_view bytes) {
  const std::string_view tail = bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes));
  switch (kind) {
    case FileKind::pdf:
      return tail.find("%%EOF") != tail.npos;
    case FileKind::jpeg:
      return jpeg_reaches_end(bytes);
    case FileKind::png:
      return tail.find("IEND\xAE\x42\x60\x82") != tail.npos;
    case FileKind::xml:
      return bytes.find_last_not_of(std::string_view(" \t\r\n\0", 5)) != bytes.npos &&
             bytes[bytes.find_last_not_of(std::string_view(" \t\r\n\0", 5))] == '>';
    default:
      return !bytes.empty();
  }
}

}  // namespace gateway::adapters::fields
