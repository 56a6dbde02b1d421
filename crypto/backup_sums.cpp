#include "crypto/backup_sums.h"

#include <vector>

#include "core/text.h"
#include "crypto/backup_format.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kReadBytes = 1U << 20;
constexpr std::size_t kSumsMax = 256U << 20;
constexpr std::size_t kSmallMax = 4096;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kRoundRuns = 30;   // every night: all of it within a month
constexpr std::string_view kEnd = "# ";  // a comment to sha256sum

std::string sums_path(const std::string& folder, const std::string& run) {
  return core::cat(folder, '/', run_path(run), "/SHA256SUMS");
}
std::string damage_path(const std::string& folder) { return core::cat(folder, "/DAMAGED"); }
std::string checked_path(const std::string& folder) { return core::cat(folder, "/CHECKED"); }

std::string hex_digest(std::string_view text) {
  return core::to_hex(as_text(sha256(as_octets(text))));
}

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

/// The lines before the last one, which must be theirs.
bool has_its_end(std::string_view& text) {
  constexpr std::size_t kEndBytes = kEnd.size() + kDigestBytes + 1;
  if (text.size() < kEndBytes) return false;
  const std::string_view lines = text.substr(0, text.size() - kEndBytes);
  const bool good = text.substr(lines.size()) == core::cat(kEnd, hex_digest(lines), '\n');
  text = lines;
  return good;
}

}  // namespace

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == name.npos;
}

bool is_hex_digest(std::string_view text) {
  return text.size() == kDigestBytes && text.find_first_not_of("0123456789abcdef") == text.npos;
}

core::Result<BackupDigests> read_backup_sums(core::Files& files, const std::string& folder,
                                             const std::string& run) {
  const std::string path = sums_path(folder, run);
  const core::Error damaged(core::Code::corrupt,
                            core::cat(path,
                                      " is damaged; run the backup again: it compares every "
                                      "object and writes the list anew"));
  GW_TRY(const std::string text, core::read_whole_file(files, path, kSumsMax));
  std::string_view rest = text;
  if (!has_its_end(rest)) return damaged;
  BackupDigests digests;
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.size() < kDigestBytes + 3 || !is_hex_digest(line.substr(0, kDigestBytes)) ||
        !is_plain_name(line.substr(kDigestBytes + 2))) {
      return damaged;
    }
    digests.emplace(line.substr(kDigestBytes + 2), line.substr(0, kDigestBytes));
  }
  return digests;
}

core::Status write_backup_sums(core::Files& files, const std::string& folder,
                               const std::string& run, const BackupDigests& digests) {
  std::string sums;
  for (const auto& [path, digest] : digests) sums += core::cat(digest, "  ", path, '\n');
  sums += core::cat(kEnd, hex_digest(sums), '\n');
  return core::write_file_durably(files, sums_path(folder, run), sums);
}

core::Result<std::string> digest_of_file(core::Files& files, const std::string& path) {
  GW_TRY(auto file, files.open_read(path));
  Sha256 digest;
  std::vector<std::byte> buffer(kReadBytes);
  for (std::uint64_t offset = 0;;) {
    GW_TRY(const std::size_t got, file->read_at(offset, buffer));
    if (got == 0) return core::to_hex(as_text(digest.finish()));
    digest.update(std::span(buffer).first(got));
    offset += got;
  }
}

core::Result<std::set<std::string>> noted_damage(core::Files& files, const std::string& folder) {
  auto text = core::read_whole_file(files, damage_path(folder), kSumsMax);
  if (!text.ok() && text.error().code() == core::Code::not_found) return std::set<std::string>();
  if (!text.ok()) return std::move(text).error();
  std::set<std::string> paths;
  for (std::string_view rest = *text; !rest.empty();) paths.emplace(take_line(rest));
  return paths;
}

core::Status note_damage(core::Files& files, const std::string& folder,
                         const std::set<std::string>& paths) {
  const std::string note = damage_path(folder);
  if (paths.empty()) {
    GW_TRY(const bool there, files.exists(note));
    if (!there) return {};
    GW_CHECK(files.remove(note));
    return files.sync_folder(folder);
  }
  std::string text;
  for (const std::string& path : paths) text += core::cat(path, '\n');
  return core::write_file_durably(files, note, text);
}

core::Result<std::set<std::string>> check_share(core::Files& files, const std::string& folder,
                                                const BackupDigests& known, std::string& last) {
  std::set<std::string> bad;
  auto next = known.upper_bound(last);
  for (std::size_t count = (known.size() + kRoundRuns - 1) / kRoundRuns; count > 0; --count) {
    if (next == known.end()) next = known.begin();
    const auto digest = digest_of_file(files, core::cat(folder, '/', next->first));
    if (!digest.ok() || *digest != next->second) bad.insert(next->first);
    last = next->first;
    ++next;
  }
  return bad;
}

core::Result<std::string> last_checked(core::Files& files, const std::string& folder) {
  auto text = core::read_whole_file(files, checked_path(folder), kSmallMax);
  if (!text.ok() && text.error().code() == core::Code::not_found) return std::string();
  if (!text.ok()) return std::move(text).error();
  return std::string(core::trim(*text));
}

core::Status note_checked(core::Files& files, const std::string& folder, const std::string& last) {
  return core::write_file_durably(files, checked_path(folder), core::cat(last, '\n'));
}

}  // namespace gateway::crypto
