#include "crypto/backup_folder.h"

#include <algorithm>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kReadBytes = 1U << 20;
constexpr std::size_t kSumsMax = 256U << 20;
constexpr std::size_t kSmallMax = 4096;

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

/// A name that goes nowhere but below the run's folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == name.npos;
}

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

core::Result<std::string> current_backup_run(core::Files& files, const std::string& folder) {
  auto text = core::read_whole_file(files, core::cat(folder, "/CURRENT"), kSmallMax);
  if (!text.ok() && text.error().code() == core::Code::not_found) {
    return core::Error(core::Code::not_found, core::cat("there is no backup in ", folder));
  }
  if (!text.ok()) return std::move(text).error();
  std::string run(core::trim(*text));
  if (!is_plain_name(run) || run.find('/') != run.npos) {
    return core::Error(core::Code::corrupt, core::cat(folder, "/CURRENT is damaged"));
  }
  return run;
}

std::string BackupFolder::at(std::string_view path) const { return core::cat(folder_, '/', path); }

core::Result<BackupOutcome> BackupFolder::run(const BackupFeed& feed) {
  outcome_ = {};
  now_.clear();
  written_.clear();
  touched_folders_.clear();
  GW_CHECK(claim(feed.box));
  auto before = current_backup_run(files_, folder_);
  if (before.ok()) {
    auto known = read_digests(*before);
    known_ = known.ok() ? std::move(*known) : Digests();  // damaged: read what is there instead
  } else if (before.error().code() != core::Code::not_found) {
    return std::move(before).error();
  }
  GW_CHECK(write_pieces(feed));
  GW_CHECK(write_bodies(feed));
  GW_CHECK(write_key_part(feed));
  GW_CHECK(sync_folders());
  GW_CHECK(verify_written());
  GW_CHECK(core::write_file_durably(files_, at("CURRENT"), feed.run + "\n"));
  outcome_.files = now_.size();
  GW_CHECK(prune(feed.run));
  return outcome_;
}

core::Status BackupFolder::claim(const std::string& box) {
  GW_CHECK(files_.make_folder(folder_));
  auto owner = core::read_whole_file(files_, at("GATEWAY"), kSmallMax);
  if (owner.ok()) {
    if (core::trim(*owner) == box) return {};
    return core::Error(core::Code::refused,
                       core::cat(folder_,
                                 " holds the backup of another gateway (or of this one "
                                 "before it was set up anew); choose another folder"));
  }
  if (owner.error().code() != core::Code::not_found) return std::move(owner).error();
  return core::write_file_durably(files_, at("GATEWAY"), box + "\n");
}

core::Result<BackupFolder::Digests> BackupFolder::read_digests(const std::string& run) {
  GW_TRY(const std::string text,
         core::read_whole_file(files_, at(run_path(run) + "/SHA256SUMS"), kSumsMax));
  Digests digests;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    if (line.size() < 67 || !is_hex_digest(line.substr(0, 64)) || !is_plain_name(line.substr(66))) {
      return core::Error(core::Code::corrupt,
                         core::cat(at(run_path(run)), "/SHA256SUMS is damaged"));
    }
    digests.emplace(line.substr(66), line.substr(0, 64));
  }
  return digests;
}

core::Status BackupFolder::write_pieces(const BackupFeed& feed) {
  for (std::size_t number = 0; number < feed.pieces.size(); ++number) {
    const std::string& name = feed.pieces[number];
    if (!is_hex_digest(name)) return core::Error(core::Code::corrupt, "a piece has no proper name");
    const std::string path = piece_path(name);
    if (now_.contains(path)) continue;  // the same bytes twice, such as empty pages
    GW_CHECK(keep_or_write(path, 0, [&](std::uint64_t offset) -> core::Result<std::string> {
      if (offset > 0) return std::string();
      return feed.piece(number);
    }));
  }
  return {};
}

core::Status BackupFolder::write_bodies(const BackupFeed& feed) {
  for (const BackupBody& body : feed.bodies) {
    if (!core::is_uuid(body.id)) return core::Error(core::Code::corrupt, "an object has no name");
    auto kept = keep_or_write(body_path(body.id), body.bytes,
                              [&](std::uint64_t offset) { return feed.body(body.id, offset); });
    if (!kept.ok() && kept.error().code() == core::Code::not_found) {
      ++outcome_.gone_meanwhile;
      continue;
    }
    GW_CHECK(std::move(kept));
  }
  return {};
}

core::Status BackupFolder::write_key_part(const BackupFeed& feed) {
  const std::string folder = run_path(feed.run);
  for (const auto& [name, bytes] : feed.key_part) {
    if (!is_plain_name(name)) return core::Error(core::Code::corrupt, "a file has no proper name");
    const std::string& file = name;
    GW_CHECK(write_file(core::cat(folder, '/', name),
                        [&](std::uint64_t offset) { return feed.key_file(file, offset); }));
  }
  std::string sums;
  for (const auto& [path, digest] : now_) sums += core::cat(digest, "  ", path, '\n');
  return core::write_file_durably(files_, at(folder + "/SHA256SUMS"), sums);
}

/// What has its final name is whole: it was synced before it was given it.
core::Status BackupFolder::keep_or_write(
    const std::string& path, std::uint64_t bytes,
    const std::function<core::Result<std::string>(std::uint64_t)>& read) {
  auto file = files_.open_read(at(path));
  if (file.ok()) {
    GW_TRY(const std::uint64_t size, (*file)->size());
    if (size > 0 && (bytes == 0 || size == bytes)) {
      const auto known = known_.find(path);
      if (known != known_.end()) {
        now_.insert(*known);
        return {};
      }
      GW_TRY(now_[path], digest_of(path));
      return {};
    }
  } else if (file.error().code() != core::Code::not_found) {
    return std::move(file).error();
  }
  return write_file(path, read);
}

core::Status BackupFolder::write_file(
    const std::string& path, const std::function<core::Result<std::string>(std::uint64_t)>& read) {
  const std::string target = at(path);
  const std::string beside = target + ".new";
  GW_CHECK(files_.make_folder(folder_of(target)));
  GW_TRY(const bool left_over, files_.exists(beside));
  if (left_over) GW_CHECK(files_.remove(beside));
  Sha256 digest;
  std::uint64_t offset = 0;
  {
    GW_TRY(auto file, files_.create(beside));
    while (true) {
      auto bytes = read(offset);
      if (!bytes.ok()) {
        file.reset();
        GW_CHECK(files_.remove(beside));
        return std::move(bytes).error();
      }
      if (bytes->empty()) break;
      digest.update(as_octets(*bytes));
      GW_CHECK(file->append(as_octets(*bytes)));
      offset += bytes->size();
    }
    GW_CHECK(file->sync());
    // So that the verification reads the medium.
    file->release_cached();
  }
  GW_CHECK(files_.rename(beside, target));
  now_[path] = core::to_hex(as_text(digest.finish()));
  written_.insert(path);
  touched_folders_.insert(folder_of(target));
  ++outcome_.written;
  outcome_.bytes_written += offset;
  return {};
}

core::Status BackupFolder::sync_folders() {
  std::set<std::string> parents;
  for (const std::string& folder : touched_folders_) {
    GW_CHECK(files_.sync_folder(folder));
    for (std::string parent = folder_of(folder); parent.size() >= folder_.size();
         parent = folder_of(parent)) {
      parents.insert(parent);
    }
  }
  for (const std::string& parent : parents) GW_CHECK(files_.sync_folder(parent));
  return files_.sync_folder(folder_);
}

core::Result<std::string> BackupFolder::digest_of(const std::string& path) {
  GW_TRY(auto file, files_.open_read(at(path)));
  Sha256 digest;
  std::vector<std::byte> buffer(kReadBytes);
  for (std::uint64_t offset = 0;;) {
    GW_TRY(const std::size_t got, file->read_at(offset, buffer));
    if (got == 0) return core::to_hex(as_text(digest.finish()));
    digest.update(std::span(buffer).first(got));
    offset += got;
  }
}

core::Status BackupFolder::verify_written() {
  for (const std::string& path : written_) {
    GW_TRY(const std::string digest, digest_of(path));
    if (digest != now_[path]) {
      return core::Error(core::Code::corrupt,
                         core::cat(at(path),
                                   " does not read back as it was written; the medium is "
                                   "failing: use another one"));
    }
    ++outcome_.verified;
  }
  return {};
}

core::Result<BackupFolder::Verdict> BackupFolder::verify() {
  GW_TRY(const std::string run, current_backup_run(files_, folder_));
  GW_TRY(const Digests digests, read_digests(run));
  Verdict verdict;
  for (const auto& [path, expected] : digests) {
    ++verdict.files;
    const auto digest = digest_of(path);
    if (!digest.ok()) {
      verdict.bad.push_back(core::cat(path, ": ", digest.error().message()));
    } else if (*digest != expected) {
      verdict.bad.push_back(core::cat(path, ": its content has changed"));
    }
  }
  return verdict;
}

core::Status BackupFolder::prune(const std::string& run) {
  GW_CHECK(prune_runs(run));
  GW_CHECK(prune_data("database"));
  return prune_data("objects");
}

/// The key parts of earlier runs: what was shredded since opens with them.
core::Status BackupFolder::prune_runs(const std::string& run) {
  GW_TRY(const auto runs, files_.list(at("runs")));
  for (const std::string& old : runs) {
    if (old == run) continue;
    for (const char* sub : {"/epochs", ""}) {
      const std::string folder = at(run_path(old) + sub);
      auto names = files_.list(folder);
      if (!names.ok()) continue;  // no such folder
      for (const std::string& name : *names) {
        if (name == "epochs") continue;
        GW_CHECK(destroy(core::cat(folder, '/', name)));
      }
      GW_CHECK(files_.sync_folder(folder));
      GW_CHECK(files_.remove(folder));
    }
  }
  return files_.sync_folder(at("runs"));
}

core::Status BackupFolder::prune_data(const std::string& top) {
  auto fans = files_.list(at(top));
  if (!fans.ok()) return {};  // nothing of the kind was ever written
  for (const std::string& fan : *fans) {
    GW_TRY(const auto names, files_.list(at(core::cat(top, '/', fan))));
    for (const std::string& name : names) {
      const std::string path = core::cat(top, '/', fan, '/', name);
      if (now_.contains(path)) continue;
      GW_CHECK(files_.remove(at(path)));
      ++outcome_.removed;
    }
  }
  return {};
}

core::Status BackupFolder::destroy(const std::string& path) {
  {
    GW_TRY(auto file, files_.open_write(path));
    GW_TRY(const std::uint64_t size, file->size());
    for (std::uint64_t offset = 0; offset < size; offset += kReadBytes) {
      const std::string noise =
          core::random_bytes(std::min<std::uint64_t>(kReadBytes, size - offset));
      GW_CHECK(file->write_at(offset, as_octets(noise)));
    }
    GW_CHECK(file->sync());
  }
  ++outcome_.removed;
  return files_.remove(path);
}

}  // namespace gateway::crypto
