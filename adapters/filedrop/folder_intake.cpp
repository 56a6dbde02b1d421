#include "adapters/filedrop/folder_intake.h"

#include <algorithm>

#include "adapters/fields/file_kind.h"
#include "adapters/frame/crash_point.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::filedrop {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Milliseconds;
using fields::FileKind;
using frame::ClaimedFile;
using frame::RestingFile;

constexpr Milliseconds kCompanionPatience{120'000};
// A copy that stalls for longer is over.
constexpr Milliseconds kRestPatience{600'000};
constexpr Milliseconds kPause{5'000};
constexpr Milliseconds kExpireEvery{3'600'000};
constexpr std::size_t kPieceBytes = 1U << 20;

std::string stem_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

std::string instant_of(std::int64_t modified_ns) {
  return core::to_instant(core::Wall(
      std::chrono::duration_cast<core::Wall::duration>(std::chrono::nanoseconds(modified_ns))));
}

/// Nothing is wrong with the file: the gateway cannot take it now.
bool is_ours(Code code) {
  return code == Code::no_space || code == Code::busy || code == Code::io || code == Code::locked ||
         code == Code::internal || code == Code::cancelled;
}

}  // namespace

FolderIntake::FolderIntake(FolderDevice device, const FileDecoders& decoders,
                           const sync::HoldingsDoor& door, const core::Clock& clock,
                           std::atomic<std::uint64_t>& turns)
    : device_(std::move(device)), decoders_(decoders), door_(door), clock_(clock), turns_(turns) {}

std::string FolderIntake::turn() {
  if (clock_.monotonic() < paused_until_) return problem_;
  problem_ = problem_of(turn_once());
  if (!problem_.empty()) paused_until_ = clock_.monotonic() + kPause;
  return problem_;
}

std::string FolderIntake::problem_of(const core::Status& done) {
  if (done.ok()) return {};
  if (!is_ours(done.error().code())) return done.error().message();
  if (done.error().code() == Code::io) folder_.reset();  // opened anew: it may have been mounted
  return cat(done.error().message(), "; see \"Folders\" in devices.md");
}

core::Status FolderIntake::turn_once() {
  if (!folder_) {
    GW_TRY(folder_, frame::DropFolder::open(device_.folder, device_.quiet));
  }
  GW_CHECK(expire_done());
  const auto holdings = door_.get();
  if (!holdings) return {};
  GW_TRY(const auto resting, folder_->look(clock_.monotonic()));
  for (const Group& group : groups_of(resting)) {
    if (!is_postponed(group)) GW_CHECK(take_group(group, holdings));
  }
  return {};
}

bool FolderIntake::is_postponed(const Group& group) {
  const core::Monotonic now = clock_.monotonic();
  std::erase_if(postponed_, [&](const auto& one) { return one.second.until <= now; });
  return std::ranges::any_of(group, [&](const RestingFile& file) {
    const auto found = postponed_.find(file.name);
    return found != postponed_.end() && found->second.stamp == file.stamp;
  });
}

std::vector<FolderIntake::Group> FolderIntake::groups_of(
    const std::vector<RestingFile>& resting) const {
  std::vector<Group> groups;
  if (!device_.device.profile.fields.has_companion) {
    for (const RestingFile& file : resting) groups.push_back({file});
    return groups;
  }
  std::map<std::string, Group> by_stem;
  for (const RestingFile& file : resting) by_stem[stem_of(file.name)].push_back(file);
  for (auto& [stem, group] : by_stem) {
    const bool waited = group[0].rested >= kCompanionPatience;
    if (group.size() == 2 || waited) groups.push_back(std::move(group));
  }
  return groups;
}

core::Status FolderIntake::take_group(const Group& group, const HeldBy& holdings) {
  Claims claims;
  for (const RestingFile& file : group) {
    auto claimed = folder_->claim(file);
    if (!claimed.ok()) {
      for (const auto& one : claims) GW_CHECK(folder_->put_back(*one));
      if (claimed.error().code() == Code::not_found) return {};
      return std::move(claimed).error();
    }
    claims.push_back(std::move(*claimed));
  }
  traffic_.see(clock_.wall());
  core::Status taken = take_claims(claims, group[0].rested, holdings);
  if (taken.ok()) return {};
  for (const auto& one : claims) GW_CHECK(folder_->put_back(*one));
  return taken;
}

core::Status FolderIntake::take_claims(const Claims& claims, Milliseconds rested,
                                       const HeldBy& holdings) {
  std::vector<DroppedFile> files;
  for (const auto& claim : claims) {
    GW_TRY(const std::string begin, claim->read(0, fields::kKindBytes));
    const FileKind kind = fields::kind_of(begin);
    if (kind == FileKind::dicom) return take_dicom(*claim, rested, holdings);
    if (claim->stamp().size > device_.device.options.message_bytes_max) {
      return refuse(claims, cat("the file is larger than device.",
                                device_.device.options.profile.name, ".message_max_mb allows"));
    }
    if (kind == FileKind::unknown)
      return refuse(claims, "it is no PDF, JPEG, PNG, DICOM, HL7, XML or text file");
    GW_TRY(std::string bytes, claim->read_all());
    if (!reaches_end(kind, bytes)) return wait_for_rest(claims, rested);
    files.push_back({claim->name(), std::move(bytes), instant_of(claim->stamp().modified_ns)});
  }
  const bool is_same =
      std::ranges::all_of(claims, [](const auto& one) { return one->is_unchanged(); });
  if (!is_same) return Error(Code::busy, "a file is still being written");
  return take_messages(claims, std::move(files), holdings);
}

core::Status FolderIntake::wait_for_rest(const Claims& claims, Milliseconds rested) {
  if (rested >= kRestPatience)
    return refuse(claims, "the file ends before its end; copy it here again");
  for (const auto& one : claims) GW_CHECK(postpone(*one));
  return {};
}

core::Status FolderIntake::postpone(const ClaimedFile& file) {
  postponed_[file.name()] = {file.stamp(), clock_.monotonic() + kPause};
  return folder_->put_back(file);
}

core::Status FolderIntake::take_dicom(const ClaimedFile& file, Milliseconds rested,
                                      const HeldBy& holdings) {
  const auto read = [this, &file]() -> NextBytes {
    return [this, &file, at = std::uint64_t{0}]() mutable -> core::Result<std::string> {
      GW_TRY(std::string bytes, file.read(at, kPieceBytes));
      at += bytes.size();
      ++turns_;
      return bytes;
    };
  };
  const auto stored = decoders_.dicom(holdings, read);
  if (stored.ok()) {
    frame::pass_crash_point("message-committed");
    traffic_.count(*stored == sync::StoreOutcome::repeated ? sync::Taken::Outcome::repeated
                                                           : sync::Taken::Outcome::stored);
    return folder_->finish(file, device_.keep_done.count() > 0);
  }
  const Error& error = stored.error();
  if (error.code() == Code::busy && rested < kRestPatience) return postpone(file);
  if (error.code() != Code::busy && is_ours(error.code())) return error;
  traffic_.count_refused();
  return folder_->fail(file, error.message());
}

core::Status FolderIntake::take_messages(const Claims& claims, std::vector<DroppedFile> files,
                                         const HeldBy& holdings) {
  const bool is_hl7 = files.size() == 1 && fields::kind_of(files[0].bytes) == FileKind::hl7;
  const auto messages =
      is_hl7 ? decoders_.hl7(std::move(files[0].bytes), device_.device.options.profile)
             : read_dropped(std::move(files), device_.device);
  for (const auto& message : messages) {
    GW_TRY(const sync::Taken taken, holdings->intake().take_now(*message));
    frame::pass_crash_point("message-committed");
    traffic_.count(taken.outcome);
    if (taken.outcome != sync::Taken::Outcome::dead) continue;
    // What a person needs is with the gateway; its name says nothing of anybody.
    GW_CHECK(folder_->note(
        cat("message-", taken.number, ".reason.txt"),
        cat(taken.reason, "\nIt is kept: clinic-gateway letters show ", taken.number)));
    core::log_warn(
        "folder", cat("device ", device_.device.options.profile.name, ": message ", taken.number,
                      " is kept as a dead letter: ", taken.reason, "; see clinic-gateway letters"));
  }
  return settle(claims);
}

core::Status FolderIntake::settle(const Claims& claims) {
  for (const auto& claim : claims) GW_CHECK(folder_->finish(*claim, device_.keep_done.count() > 0));
  return {};
}

core::Status FolderIntake::refuse(const Claims& claims, std::string_view reason) {
  traffic_.count_refused();
  core::log_warn("folder", cat("device ", device_.device.options.profile.name,
                               ": a file was moved to failed/: ", reason));
  for (const auto& claim : claims) GW_CHECK(folder_->fail(*claim, reason));
  return {};
}

core::Status FolderIntake::expire_done() {
  const core::Monotonic now = clock_.monotonic();
  if (device_.keep_done.count() == 0) return {};
  if (expired_at_ != core::Monotonic() && now - expired_at_ < kExpireEvery) return {};
  expired_at_ = now;
  return folder_->expire_done(device_.keep_done, clock_.wall());
}

}  // namespace gateway::adapters::filedrop
