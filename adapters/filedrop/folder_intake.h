// One watched folder: which of its files go together, what becomes of them, and where they go.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/filedrop/dropped.h"
#include "adapters/filedrop/folder_options.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/frame/drop_folder.h"
#include "sync/holdings.h"

namespace gateway::adapters::filedrop {

/// One thread, besides traffic(). `turns` grows while a large file is read.
class FolderIntake {
 public:
  FolderIntake(FolderDevice device, const FileDecoders& decoders, const sync::HoldingsDoor& door,
               const core::Clock& clock, std::atomic<std::uint64_t>& turns);

  /// Opens the folder where it is not, takes what rests in it. Answers what keeps it from that;
  /// empty: nothing.
  std::string turn();
  void close() { folder_.reset(); }
  /// To poll; -1: none.
  int events() const { return folder_ ? folder_->events() : -1; }
  const FolderDevice& device() const { return device_; }
  frame::DeviceTraffic& traffic() { return traffic_; }
  const frame::DeviceTraffic& traffic() const { return traffic_; }

 private:
  using HeldBy = std::shared_ptr<sync::Holdings>;
  using Claims = std::vector<std::unique_ptr<frame::ClaimedFile>>;
  /// Files that go together: a record and its document, or one file.
  using Group = std::vector<frame::RestingFile>;

  core::Status turn_once();
  std::string problem_of(const core::Status& done);
  core::Status postpone(const frame::ClaimedFile& file);
  std::vector<Group> groups_of(const std::vector<frame::RestingFile>& resting) const;
  bool is_postponed(const Group& group);
  core::Status take_group(const Group& group, const HeldBy& holdings);
  core::Status take_claims(const Claims& claims, core::Milliseconds rested, const HeldBy& holdings);
  core::Status take_dicom(const frame::ClaimedFile& file, core::Milliseconds rested,
                          const HeldBy& holdings);
  core::Status take_messages(const Claims& claims, std::vector<DroppedFile> files,
                             const HeldBy& holdings);
  core::Status settle(const Claims& claims);
  core::Status refuse(const Claims& claims, std::string_view reason);
  /// A file that does not reach its end: it may yet come.
  core::Status wait_for_rest(const Claims& claims, core::Milliseconds rested);
  core::Status expire_done();

  const FolderDevice device_;
  const FileDecoders& decoders_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  frame::DeviceTraffic traffic_;
  std::unique_ptr<frame::DropFolder> folder_;
  core::Monotonic expired_at_{};
  std::string problem_;
  core::Monotonic paused_until_{};  // after what was no file's fault
  struct Postponed {
    frame::FileStamp stamp;
    core::Monotonic until{};
  };
  std::map<std::string, Postponed> postponed_;  // what did not reach its end when it was looked at
  std::atomic<std::uint64_t>& turns_;
};

}  // namespace gateway::adapters::filedrop
