#include "core/tar.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

namespace gateway::core {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameMax = 100;

// Where the fields of a header begin, and their length with the end mark.
struct Field {
  std::size_t at;
  std::size_t length;
};
constexpr Field kMode{100, 8};
constexpr Field kOwner{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr std::size_t kMagic = 257;

void put_octal(std::string& header, Field field, std::uint64_t value) {
  for (std::size_t i = field.length - 1; i-- > 0; value >>= 3)
    header[field.at + i] = static_cast<char>('0' + (value & 7));
}

}  // namespace

TarWriter::TarWriter(Wall time) : time_(time) {}

void TarWriter::add(std::string_view name, std::string_view content) {
  assert(!name.empty() && name.size() <= kNameMax);
  std::string header(kBlock, '\0');
  header.replace(0, name.size(), name);
  put_octal(header, kMode, 0640);
  put_octal(header, kOwner, 0);
  put_octal(header, kGroup, 0);
  put_octal(header, kSize, content.size());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time_).time_since_epoch().count();
  put_octal(header, kTime, static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds)));
  header[kType] = '0';
  header.replace(kMagic, 8, std::string_view("ustar\00000", 8));
  // The checksum counts its own field as blanks.
  header.replace(kChecksum.at, kChecksum.length, kChecksum.length, ' ');
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put_octal(header, {kChecksum.at, kChecksum.length - 1}, sum);
  header[kChecksum.at + 6] = '\0';
  archive_ += header;
  archive_ += content;
  archive_.append((kBlock - content.size() % kBlock) % kBlock, '\0');
}

std::string TarWriter::finish() && {
  archive_.append(2 * kBlock, '\0');
  return std::move(archive_);
}

}  // namespace gateway::core
