// The same life on disks of the kernel's own that end in the middle of it: a tmpfs that is full
// (ENOSPC), a device that takes no more (EIO). Each step is lived with ever more room, until it has
// enough: whatever was answered positively is there, and it goes on once the disk works.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/at_rest/life.h"
#include "tests/at_rest/real_disk.h"

namespace gateway::at_rest {
namespace {

constexpr std::uint64_t kPage = 4096;
/// A step that left so much room has not met the end, however its writes are rounded.
constexpr std::uint64_t kRoomToSpare = 64 * kPage;

struct Outcome {
  bool enough_room = false;
  bool failed = false;
  std::string fault;  // empty: nothing wrong
  bool disk_broke = false;
};

/// What runs finds its disk working again: by itself, or with the machine's next start.
std::string go_on(Life& life) {
  if (!life.is_open()) {
    const auto opened = life.open();
    if (!opened.ok()) return "it does not open again: " + opened.error().message();
  }
  auto works = life.receive("1.2.3.1", "1.2.3.1.1", "received after the failure");
  if (!works.ok() && works.error().message().find("restart the service") != std::string::npos) {
    life.close();
    works = life.open();
    if (works.ok()) works = life.receive("1.2.3.1", "1.2.3.1.1", "received after the failure");
  }
  return works.ok() ? "" : "it does not go on: " + works.error().message();
}

Outcome live_with(const Step& step, const fakes::DiskImage& image, const Promises& promises,
                  bool first, RealDisk& disk, std::uint64_t room) {
  const std::string mounted = disk.mount_empty();
  if (!mounted.empty()) return {true, false, mounted};
  put_image(image, disk.folder());
  Life life(disk.folder(), promises);
  if (!first) {
    const auto opened = life.open();
    if (!opened.ok()) return {true, false, "before the failure: " + opened.error().message()};
  }
  disk.leave(room);
  const core::Status lived = step.run(life);
  const bool enough = lived.ok() && disk.bytes_left() >= kRoomToSpare;
  if (!lived.ok() && lived.error().code() != core::Code::no_space &&
      lived.error().code() != core::Code::io && lived.error().code() != core::Code::corrupt) {
    return {false, true, "it was told: " + lived.error().message()};
  }
  if (!disk.survives_its_end()) life.close();
  if (!disk.give_room()) return {enough, !lived.ok(), "", true};
  std::string fault = go_on(life);
  life.close();
  if (fault.empty()) fault = find_fault(image_of(disk.folder()), life.ledger().now());
  return {enough, !lived.ok(), fault};
}

/// `stride`: how many bytes more each time.
void live_on(RealDisk& disk, std::uint64_t stride, std::uint64_t points_expected) {
  if (const std::string why = disk.mount_empty(); !why.empty()) {
    GTEST_SKIP() << why << "; run as root outside a closed container";
  }
  fakes::DiskImage image = new_disk();
  Promises promises;
  std::uint64_t points = 0;
  std::uint64_t failures = 0;
  std::uint64_t disks_broken = 0;
  bool first = true;
  for (const Step& step : whole_life()) {
    for (std::uint64_t room = 0;; room += stride) {
      const Outcome outcome = live_with(step, image, promises, first, disk, room);
      if (!outcome.fault.empty() && ++failures <= 10) {
        ADD_FAILURE() << step.name << ", room for " << room << " bytes: " << outcome.fault;
      }
      points += outcome.failed && !outcome.disk_broke ? 1 : 0;
      disks_broken += outcome.disk_broke ? 1 : 0;
      if (outcome.enough_room) break;
    }
    Life life(image, promises);
    ASSERT_TRUE(first || life.open().ok());
    const auto lived = step.run(life);
    ASSERT_TRUE(lived.ok()) << step.name << ": " << lived.error().message();
    life.close();
    image = life.disk().image();
    promises = life.ledger().now();
    first = false;
  }
  std::cout << "failed for want of room " << points << " times, failures " << failures
            << ", left out because the file system broke " << disks_broken << "\n";
  EXPECT_GE(points, points_expected);
  EXPECT_LE(disks_broken * 10, points);
}

TEST(EndingDisk, AFullOneLosesNothingThatWasAcknowledged) {
  SmallTmpfs disk;
  live_on(disk, (every_point() ? 1 : 2) * kPage, 1000);
}

TEST(EndingDisk, AFailingOneLosesNothingThatWasAcknowledged) {
  FailingDevice disk;
  live_on(disk, (every_point() ? 2 : 16) * kPage, 100);
}

}  // namespace
}  // namespace gateway::at_rest
