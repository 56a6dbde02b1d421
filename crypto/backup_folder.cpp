#include "crypto/backup_folder.h"

#include "core/ids.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kSmallMax = 4096;

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

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
  GW_CHECK(recall_last_run());
  GW_CHECK(check_keys(feed));
  GW_CHECK(write_pieces(feed));
  GW_CHECK(write_bodies(feed));
  GW_CHECK(write_key_part(feed));
  GW_CHECK(sync_folders());
  GW_CHECK(verify_written());
  GW_CHECK(core::write_file_durably(files_, at("CURRENT"), feed.run + "\n"));
  outcome_.files = now_.size();
  // Whatever was noted has been compared or written anew.
  GW_CHECK(note_damage(files_, folder_, {}));
  GW_CHECK(note_checked(files_, folder_, last_checked_));
  GW_CHECK(prune(feed.run));
  return outcome_;
}

core::Status BackupFolder::claim(const std::string& box) {
  GW_CHECK(files_.make_folder(folder_));
  for (const char* ours : {"keyring.json", "gateway.db", "lock", "objects/incoming", "incoming"}) {
    GW_TRY(const bool there, files_.exists(at(ours)));
    if (!there) continue;
    return core::Error(core::Code::refused,
                       core::cat(folder_, " holds a gateway's own files (", ours,
                                 "), which a backup there would destroy; choose another folder"));
  }
  auto owner = core::read_whole_file(files_, at("GATEWAY"), kSmallMax);
  if (owner.ok()) {
    if (core::trim(*owner) == box) return {};
    return core::Error(core::Code::refused,
                       core::cat(folder_,
                                 " holds the backup of another gateway (or of this one "
                                 "before it was set up anew); choose another folder"));
  }
  if (owner.error().code() != core::Code::not_found) return std::move(owner).error();
  GW_CHECK(check_unclaimed());
  return core::write_file_durably(files_, at("GATEWAY"), box + "\n");
}

/// A run removes from these folders what it does not know.
core::Status BackupFolder::check_unclaimed() {
  for (const char* name : {"objects", "database", "runs", "CURRENT"}) {
    GW_TRY(const bool there, files_.exists(at(name)));
    if (!there) continue;
    return core::Error(core::Code::refused,
                       core::cat(folder_, " is no backup (it has no file GATEWAY) but holds ", name,
                                 ", which a run would overwrite; choose an empty folder"));
  }
  return {};
}

core::Status BackupFolder::recall_last_run() {
  known_.clear();
  distrusted_.clear();
  last_run_.clear();
  sums_are_lost_ = false;
  auto before = current_backup_run(files_, folder_);
  if (!before.ok() && before.error().code() == core::Code::not_found) return {};
  if (!before.ok()) return std::move(before).error();
  last_run_ = *before;
  auto known = read_backup_sums(files_, folder_, last_run_);
  sums_are_lost_ = !known.ok();
  if (known.ok()) known_ = std::move(*known);
  // Its key part goes with it.
  std::erase_if(known_, [](const auto& file) { return file.first.starts_with("runs/"); });
  GW_TRY(const auto noted, noted_damage(files_, folder_));
  distrust(noted);
  GW_TRY(last_checked_, last_checked(files_, folder_));
  GW_TRY(const auto changed, check_share(files_, folder_, known_, last_checked_));
  distrust(changed);
  return {};
}

void BackupFolder::distrust(const std::set<std::string>& paths) {
  for (const std::string& path : paths) {
    if (auto known = known_.extract(path)) distrusted_.insert(std::move(known));
  }
}

bool BackupFolder::was_in_last_run(const std::string& path) const {
  return sums_are_lost_ || known_.contains(path) || distrusted_.contains(path);
}

/// Before anything is written: with the run before go the only headers and epoch keys that open
/// what the gateway cannot open any more.
core::Status BackupFolder::check_keys(const BackupFeed& feed) {
  std::uint64_t lost = 0;
  std::string first;
  for (const BackupBody& body : feed.bodies) {
    if (body.opens || !core::is_uuid(body.id)) continue;
    const std::string path = body_path(body.id);
    GW_TRY(const bool there, is_there(path));
    if (!there || !was_in_last_run(path)) continue;
    auto whole = feed.check(body.id);
    if (whole.ok() || whole.error().code() == core::Code::not_found) continue;
    if (whole.error().code() != core::Code::corrupt) return whole;
    if (lost++ == 0) first = core::cat(body.doubt, " (", whole.error().message(), ')');
  }
  if (lost == 0) return {};
  return core::Error(
      core::Code::refused,
      core::cat(lost,
                " objects in this backup cannot be opened on the gateway any more; the first: ",
                first, ". The last good copy of their keys is here, in ", at(run_path(last_run_)),
                ", and a further run would destroy it: nothing was changed. If the key of an epoch "
                "was damaged or replaced on the gateway, stop the service, put the file of ",
                run_path(last_run_),
                "/epochs back into the state folder and start it; otherwise keep this folder as it "
                "is and back up into another one"));
}

core::Status BackupFolder::write_pieces(const BackupFeed& feed) {
  for (std::size_t number = 0; number < feed.pieces.size(); ++number) {
    const std::string& name = feed.pieces[number];
    if (!is_hex_digest(name)) return core::Error(core::Code::corrupt, "a piece has no proper name");
    const std::string path = piece_path(name);
    if (now_.contains(path)) continue;  // the same bytes twice, such as empty pages
    GW_TRY(const bool there, is_there(path));
    if (const auto known = known_.find(path); there && known != known_.end()) {
      now_.insert(*known);
      continue;
    }
    GW_CHECK(write_file(path, [&](std::uint64_t offset) -> core::Result<std::string> {
      if (offset > 0) return std::string();
      return feed.piece(number);
    }));
  }
  return {};
}

core::Status BackupFolder::write_bodies(const BackupFeed& feed) {
  for (const BackupBody& body : feed.bodies) {
    if (!core::is_uuid(body.id)) return core::Error(core::Code::corrupt, "an object has no name");
    auto kept = write_body(feed, body);
    if (!kept.ok() && kept.error().code() == core::Code::not_found) {
      ++outcome_.gone_meanwhile;
      continue;
    }
    GW_CHECK(std::move(kept));
  }
  return {};
}

/// What the run before vouches for stays unread. Everything else is read on the gateway: only what
/// is whole there may say what is right here.
core::Status BackupFolder::write_body(const BackupFeed& feed, const BackupBody& body) {
  const std::string path = body_path(body.id);
  GW_TRY(const bool there, is_there(path));
  const auto known = known_.find(path);
  if (there && known != known_.end() && body.doubt.empty()) {
    GW_TRY(const auto file, files_.open_read(at(path)));
    GW_TRY(const std::uint64_t size, file->size());
    if (size == body.bytes) {
      now_.insert(*known);
      return {};
    }
  }
  auto written = write_whole(feed, body, there);
  const bool is_damaged = !written.ok() && written.error().code() == core::Code::corrupt;
  return is_damaged ? write_damaged(feed, body) : written;
}

/// Code::corrupt, which only the gateway's side answers: what is there is not whole.
core::Status BackupFolder::write_whole(const BackupFeed& feed, const BackupBody& body, bool there) {
  const std::string path = body_path(body.id);
  GW_CHECK(feed.check(body.id));
  const Read read = [&](std::uint64_t offset) { return feed.body(body.id, offset); };
  if (there) {
    GW_TRY(const bool same, is_same(path, read));
    if (same) return {};
    outcome_.healed += !known_.contains(path) && !distrusted_.contains(path) ? 1U : 0U;
  }
  return write_file(path, read);
}

/// The folder's copy is from before the damage, or no worse.
core::Status BackupFolder::write_damaged(const BackupFeed& feed, const BackupBody& body) {
  const std::string path = body_path(body.id);
  outcome_.damaged.push_back(body.id);
  GW_TRY(const bool there, is_there(path));
  if (!there) {
    if (!body.opens) return {};
    auto copied =
        write_file(path, [&](std::uint64_t offset) { return feed.body(body.id, offset); });
    const bool is_unreadable = !copied.ok() && copied.error().code() == core::Code::corrupt;
    return is_unreadable ? core::Status() : copied;
  }
  for (const BackupDigests* digests : {&known_, &distrusted_}) {
    if (const auto known = digests->find(path); known != digests->end()) {
      now_.insert(*known);
      return {};
    }
  }
  GW_TRY(now_[path], digest_of_file(files_, at(path)));
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
  return write_backup_sums(files_, folder_, feed.run, now_);
}

core::Result<bool> BackupFolder::is_there(const std::string& path) {
  auto file = files_.open_read(at(path));
  if (!file.ok() && file.error().code() == core::Code::not_found) return false;
  if (!file.ok()) return std::move(file).error();
  GW_TRY(const std::uint64_t size, (*file)->size());
  return size > 0;
}

/// Notes the digest of what `read` gives if the file holds just that.
core::Result<bool> BackupFolder::is_same(const std::string& path, const Read& read) {
  GW_TRY(const auto file, files_.open_read(at(path)));
  GW_TRY(const std::uint64_t size, file->size());
  Sha256 digest;
  std::vector<std::byte> here;
  for (std::uint64_t offset = 0;;) {
    GW_TRY(const std::string there, read(offset));
    if (there.empty()) {
      if (offset != size) return false;
      now_[path] = core::to_hex(as_text(digest.finish()));
      return true;
    }
    here.resize(there.size());
    const auto got = file->read_at(offset, here);
    if (!got.ok() || *got != there.size() || as_text(here) != there) return false;
    digest.update(as_octets(there));
    offset += there.size();
  }
}

core::Status BackupFolder::write_file(const std::string& path, const Read& read) {
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
  outcome_.healed += distrusted_.contains(path) ? 1U : 0U;
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

core::Status BackupFolder::verify_written() {
  for (const std::string& path : written_) {
    GW_TRY(const std::string digest, digest_of_file(files_, at(path)));
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
  GW_TRY(const BackupDigests digests, read_backup_sums(files_, folder_, run));
  Verdict verdict;
  std::set<std::string> bad;
  for (const auto& [path, expected] : digests) {
    ++verdict.files;
    const auto digest = digest_of_file(files_, at(path));
    if (digest.ok() && *digest == expected) continue;
    bad.insert(path);
    verdict.bad.push_back(
        core::cat(path, ": ",
                  digest.ok() ? std::string("its content has changed") : digest.error().message()));
  }
  if (auto noted = note_damage(files_, folder_, bad); !noted.ok()) {
    verdict.unnoted = noted.error().message();
  }
  return verdict;
}

}  // namespace gateway::crypto
