// A folder that devices write files into. A file is claimed first (moved to taking/, where nobody
// else looks), read and committed, and only then let go: so what a device writes over it meanwhile
// is another file, and what a crash leaves in taking/ is put back at the next start.
//
//   FOLDER/          devices write here
//   FOLDER/taking/   being taken in
//   FOLDER/done/     what was taken in, where the site keeps it
//   FOLDER/failed/   what was not taken, a .reason.txt beside each
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/frame/settling_files.h"
#include "core/result.h"

namespace gateway::adapters::frame {

/// A file in taking/. One thread.
class ClaimedFile {
 public:
  ClaimedFile(std::string name, std::string path, int descriptor, FileStamp stamp)
      : name_(std::move(name)), path_(std::move(path)), descriptor_(descriptor), stamp_(stamp) {}
  ~ClaimedFile();
  ClaimedFile(const ClaimedFile&) = delete;
  ClaimedFile& operator=(const ClaimedFile&) = delete;

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  const FileStamp& stamp() const { return stamp_; }
  /// Up to `size` bytes from `offset`; none at the end.
  core::Result<std::string> read(std::uint64_t offset, std::size_t size) const;
  core::Result<std::string> read_all() const;
  /// It is as it was when it rested: nobody wrote on.
  bool is_unchanged() const;

 private:
  const std::string name_;
  const std::string path_;
  const int descriptor_;
  const FileStamp stamp_;
};

/// One thread.
class DropFolder {
 public:
  /// Makes the folders in it, puts back what lies in taking/. Code::io says what is missing.
  static core::Result<std::unique_ptr<DropFolder>> open(const std::string& path,
                                                        core::Milliseconds quiet);
  ~DropFolder();
  DropFolder(const DropFolder&) = delete;
  DropFolder& operator=(const DropFolder&) = delete;

  /// Readable when something happened; -1 where the system has no more watches: then looks alone
  /// find files.
  int events() const { return events_; }
  /// Takes the events, looks at the folder; what rests. At most 1,000 names.
  core::Result<std::vector<RestingFile>> look(core::Monotonic now);
  /// Code::not_found: it is another file by now, or none.
  core::Result<std::unique_ptr<ClaimedFile>> claim(const RestingFile& file);

  /// The file is on stable storage with us: it goes, or to done/ where `keep`.
  core::Status finish(const ClaimedFile& file, bool keep);
  /// It stays in failed/, the reason beside it.
  core::Status fail(const ClaimedFile& file, std::string_view reason);
  /// Back to where it came from, under another name where the device has used its own again.
  core::Status put_back(const ClaimedFile& file);
  /// A note in failed/ for what is with us and waits for a person.
  core::Status note(const std::string& name, std::string_view text);
  /// Removes what is older than `age` from done/.
  core::Status expire_done(core::Milliseconds age, core::Wall now);

 private:
  DropFolder(std::string path, core::Milliseconds quiet);
  core::Status prepare();
  void watch();
  void take_events();
  core::Status move_to(const ClaimedFile& file, const std::string& folder, std::string& moved_to);

  const std::string path_;
  int events_ = -1;
  SettlingFiles settling_;
};

}  // namespace gateway::adapters::frame
