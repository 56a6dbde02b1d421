// The folder's side of a backup run: writes what it lacks, reads back what it wrote, and lets the
// new run count only then. Killed at any moment, the folder holds the run before, whole; what was
// already written is not asked for again. It needs no key: it sees only sealed bytes.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/backup_source.h"
#include "crypto/backup_sums.h"

namespace gateway::crypto {

/// What the gateway answers; BackupSource in this process, or the control socket before it.
struct BackupFeed {
  std::string run;  // names the run's folder
  std::string box;
  std::string created;
  std::vector<std::string> pieces;
  std::vector<BackupBody> bodies;
  std::vector<std::pair<std::string, std::uint64_t>> key_part;
  std::function<core::Result<std::string>(std::size_t number)> piece;
  /// Fewer bytes than asked for only at the end; none after it. Code::corrupt: they cannot be read.
  std::function<core::Result<std::string>(const std::string& id, std::uint64_t offset)> body;
  /// Whether the gateway can read the object through. Code::corrupt: not all of it;
  /// Code::not_found: deleted since.
  std::function<core::Status(const std::string& id)> check;
  std::function<core::Result<std::string>(const std::string& name, std::uint64_t offset)> key_file;
};

struct BackupOutcome {
  std::uint64_t files = 0;  // the backup consists of
  std::uint64_t written = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t verified = 0;
  std::uint64_t healed = 0;          // files that had changed in the folder and were written anew
  std::uint64_t gone_meanwhile = 0;  // objects deleted on the gateway during the run
  std::uint64_t removed = 0;         // files no run needs any more
  /// Objects damaged on the gateway. What the folder had of them stays; else they were copied as
  /// they are, or left out where nothing could ever open them, or the disk does not give them.
  std::vector<std::string> damaged;
};

class BackupFolder {
 public:
  BackupFolder(core::Files& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  /// Code::refused when the folder holds another gateway's backup, a gateway's own files or other
  /// things of the same names, or when the gateway has lost keys that the run before still has;
  /// Code::corrupt when what was written does not read back.
  core::Result<BackupOutcome> run(const BackupFeed& feed);
  /// Reads every file of the run that counts. Each one missing or changed is named, and noted in
  /// the folder for the next run to write anew; where that cannot be, `unnoted` says why.
  struct Verdict {
    std::uint64_t files = 0;
    std::vector<std::string> bad;
    std::string unnoted;
  };
  core::Result<Verdict> verify();

 private:
  using Read = std::function<core::Result<std::string>(std::uint64_t offset)>;

  core::Status claim(const std::string& box);
  core::Status check_unclaimed();
  core::Status recall_last_run();
  void distrust(const std::set<std::string>& paths);
  bool was_in_last_run(const std::string& path) const;
  core::Status check_keys(const BackupFeed& feed);
  core::Status write_body(const BackupFeed& feed, const BackupBody& body);
  core::Status write_whole(const BackupFeed& feed, const BackupBody& body, bool there);
  core::Status write_damaged(const BackupFeed& feed, const BackupBody& body);
  core::Result<bool> is_there(const std::string& path);
  core::Result<bool> is_same(const std::string& path, const Read& read);
  core::Status write_file(const std::string& path, const Read& read);
  core::Status write_pieces(const BackupFeed& feed);
  core::Status write_bodies(const BackupFeed& feed);
  core::Status write_key_part(const BackupFeed& feed);
  core::Status verify_written();
  core::Status sync_folders();
  core::Status prune(const std::string& run);
  core::Status prune_runs(const std::string& run);
  core::Status prune_data(const std::string& top);
  core::Status destroy(const std::string& path);
  std::string at(std::string_view path) const;

  core::Files& files_;
  const std::string folder_;
  std::string last_run_;        // empty: there is none
  bool sums_are_lost_ = false;  // of the run before: any file may be one of its
  BackupDigests known_;         // of the run before
  BackupDigests distrusted_;    // the same of files that are no longer what it wrote
  std::string last_checked_;
  BackupDigests now_;
  std::set<std::string> written_;
  std::set<std::string> touched_folders_;
  BackupOutcome outcome_;
};

/// The run that counts. Code::not_found: there is no backup in the folder.
core::Result<std::string> current_backup_run(core::Files& files, const std::string& folder);

}  // namespace gateway::crypto
