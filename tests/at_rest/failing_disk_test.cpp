// Every operation of the same life fails once with EIO, once with ENOSPC, readings fail once with
// EIO, and the disk stays full
// from there on until space returns: whatever was answered positively is there, the gateway goes on
// without a restart once the disk works, and a power cut right after finds nothing half-done.
#include <gtest/gtest.h>

#include <iostream>

#include "core/text.h"
#include "tests/at_rest/life.h"

namespace gateway::at_rest {
namespace {

enum class Failure { io_once, no_space_once, full, read_once };

void arm(fakes::FaultFiles& files, Failure failure, std::uint64_t operation) {
  switch (failure) {
    case Failure::io_once:
      return files.fail_operation(operation, core::Code::io);
    case Failure::no_space_once:
      return files.fail_operation(operation, core::Code::no_space);
    case Failure::full:
      return files.fill_disk_at_operation(operation);
    case Failure::read_once:
      return files.fail_reading(operation);
  }
}

struct Outcome {
  bool failed = false;  // the failure was met
  std::string fault;    // empty: nothing wrong
};

/// What a caller acts on: anything else would be answered as a defect of ours.
bool is_honest(core::Code code, Failure failure) {
  return code == core::Code::no_space || code == core::Code::io ||
         ((failure == Failure::io_once || failure == Failure::read_once) &&
          code == core::Code::corrupt);
}

Outcome live_with(const Step& step, const fakes::DiskImage& image, const Promises& promises,
                  bool first, Failure failure, std::uint64_t operation) {
  Life life(image, promises);
  if (!first) {
    auto opened = life.open();
    if (!opened.ok()) return {false, "before the failure: " + opened.error().message()};
  }
  arm(life.disk(), failure, operation);
  const core::Status lived = step.run(life);
  if (!life.disk().failed()) return {false, lived.ok() ? "" : lived.error().message()};
  if (!lived.ok() && !is_honest(lived.error().code(), failure)) {
    return {true, "it was told: " + lived.error().message()};
  }
  life.disk().empty_disk();
  if (!life.is_open()) {
    auto opened = life.open();
    if (!opened.ok()) return {true, "it does not open again: " + opened.error().message()};
  }
  auto works = life.receive("1.2.3.1", "1.2.3.1.1", "received after the failure");
  if (!works.ok() && works.error().message().find("restart the service") != std::string::npos) {
    // Between the two files of a rotated database: it says so itself.
    life.close();
    works = life.open();
    if (works.ok()) works = life.receive("1.2.3.1", "1.2.3.1.1", "received after the failure");
  }
  if (!works.ok()) return {true, "it does not go on: " + works.error().message()};
  return {true,
          find_fault(life.disk().after_power_cut(fakes::Unsynced::lost), life.ledger().now())};
}

/// Every operation fails; of the readings a fixed choice, unless all are wanted: a life reads more
/// often than it writes, and most readings are of one kind.
std::uint64_t stride_of(Failure failure) {
  return every_point() || failure != Failure::read_once ? 1 : 7;
}

class FailingDisk : public testing::TestWithParam<Failure> {};

TEST_P(FailingDisk, LosesNothingThatWasAcknowledged) {
  fakes::DiskImage image = new_disk();
  Promises promises;
  std::uint64_t points = 0;
  std::uint64_t failures = 0;
  bool first = true;
  for (const Step& step : whole_life()) {
    for (std::uint64_t operation = 1;; operation += stride_of(GetParam())) {
      const Outcome outcome = live_with(step, image, promises, first, GetParam(), operation);
      if (!outcome.fault.empty() && ++failures <= 10) {
        ADD_FAILURE() << step.name << ", operation " << operation << ": " << outcome.fault;
      }
      if (!outcome.failed) break;
      ++points;
    }
    Life life(image, promises);
    ASSERT_TRUE(first || life.open().ok());
    auto lived = step.run(life);
    ASSERT_TRUE(lived.ok()) << step.name << ": " << lived.error().message();
    life.close();
    image = life.disk().image();
    promises = life.ledger().now();
    first = false;
  }
  std::cout << "failed at " << points << " operations, failures " << failures << "\n";
  EXPECT_GE(points, 300U);
}

std::string name_of(const testing::TestParamInfo<Failure>& info) {
  switch (info.param) {
    case Failure::io_once:
      return "ThatFailsOnce";
    case Failure::no_space_once:
      return "ThatIsFullOnce";
    case Failure::full:
      return "ThatStaysFull";
    case Failure::read_once:
      return "ThatCannotBeReadOnce";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(AtEveryOperation, FailingDisk,
                         testing::Values(Failure::io_once, Failure::no_space_once, Failure::full,
                                         Failure::read_once),
                         name_of);

}  // namespace
}  // namespace gateway::at_rest
