// The power goes at every single operation of a gateway's life, in the object files and in the
// database alike, and what had not been synced is lost, kept or torn. The machine starts again from
// what is left: every promise is kept, nothing else is there.
//
// The life is lived once; before each of its operations the three disks a power cut would leave are
// handed to threads that start a machine from each.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <thread>

#include "tests/at_rest/life.h"

namespace gateway::at_rest {
namespace {

using fakes::DiskImage;
using fakes::FaultFiles;
using fakes::Unsynced;

struct Crash {
  std::uint64_t operation = 0;
  Unsynced unsynced = Unsynced::lost;
  std::string step;
  DiskImage image;
  Promises promises;
};

/// Starts machines from what crashes left, on two threads; whoever brings more waits.
class Inspection {
 public:
  Inspection() {
    for (auto& thread : threads_) thread = std::thread([this] { run(); });
  }
  ~Inspection() { finish(); }

  void add(Crash crash) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return queue_.size() < 8; });
    queue_.push_back(std::move(crash));
    work_.notify_one();
  }
  void finish() {
    {
      std::lock_guard lock(mutex_);
      finished_ = true;
    }
    work_.notify_all();
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::uint64_t points() const { return points_; }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  const std::uint64_t twice_every_ = every_point() ? 101 : 499;

  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return finished_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Crash crash = std::move(queue_.front());
      queue_.pop_front();
      room_.notify_one();
      lock.unlock();
      inspect(crash);
    }
  }
  void inspect(const Crash& crash) {
    ++points_;
    std::string fault = find_fault(crash.image, crash.promises);
    std::uint64_t more = 0;
    if (fault.empty() && crash.operation % twice_every_ == 0) {
      fault = find_fault_twice(crash.image, crash.promises, more);
      points_ += more;
    }
    if (fault.empty()) return;
    std::lock_guard lock(mutex_);
    faults_.push_back("crash at operation " + std::to_string(crash.operation) + " (" + crash.step +
                      "), unsynced bytes " + std::to_string(static_cast<int>(crash.unsynced)) +
                      ": " + fault);
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable room_;
  std::deque<Crash> queue_;
  bool finished_ = false;
  std::atomic<std::uint64_t> points_{0};
  std::vector<std::string> faults_;
  std::array<std::thread, 2> threads_;
};

TEST(CrashMatrix, EveryPromiseIsKeptWhereverThePowerGoes) {
  Inspection inspection;
  Life life(new_disk(), {});
  std::atomic<const char*> step = "";
  life.disk().watch([&](std::uint64_t operation, const FaultFiles::AfterPowerCut& after) {
    for (Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
      inspection.add({operation, unsynced, step.load(), after(unsynced), life.ledger().now()});
    }
  });
  for (const Step& next : whole_life()) {
    step = next.name;
    auto lived = next.run(life);
    ASSERT_TRUE(lived.ok()) << next.name << ": " << lived.error().message();
  }
  step = "idle";
  ASSERT_TRUE(life.receive("1.2.3.4", "1.2.3.4.1", "so that there is something to copy").ok());
  auto rested = wait_for_idle_checkpoint(life);
  EXPECT_TRUE(rested.ok()) << rested.error().message();
  step = "stop";
  life.close();
  life.disk().watch(nullptr);
  inspection.finish();

  const auto& faults = inspection.faults();
  for (std::size_t i = 0; i < faults.size() && i < 10; ++i) ADD_FAILURE() << faults[i];
  std::cout << "operations " << life.disk().operations() << ", crashed at " << inspection.points()
            << " points, failures " << faults.size() << "\n";
  EXPECT_GE(inspection.points(), 2000U);
  EXPECT_EQ(find_fault(life.disk().image(), life.ledger().now()), "");
}

TEST(CrashMatrix, TheLookItselfSeesWhatIsWrong) {
  Life life(new_disk(), {});
  for (const Step& step : whole_life().first(6)) ASSERT_TRUE(step.run(life).ok()) << step.name;
  life.close();
  const DiskImage whole = life.disk().image();
  const Promises promises = life.ledger().now();
  ASSERT_EQ(find_fault(whole, promises), "");

  std::string object;
  for (const auto& [path, content] : whole.files) {
    if (path.starts_with("/state/objects/")) object = path;
  }
  DiskImage lost = whole;
  lost.files.erase(object);
  EXPECT_NE(find_fault(lost, promises), "");
  DiskImage stray = whole;
  stray.files[object.substr(0, object.size() - 1) + (object.back() == '0' ? "1" : "0")] = "stray";
  EXPECT_NE(find_fault(stray, promises), "");
  DiskImage readable = whole;
  readable.files["/state/notes"] = "Villarrubiales^Maximiliana^Sorolla";
  EXPECT_NE(find_fault(readable, promises), "");
  Promises more = promises;
  more.acknowledged.emplace("1.2.3.9", "never received");
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.audit.sequence += 100;
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.messages.begin()->second += "more";
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.messages["C9"] = "never sent";
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.edits.begin()->second.back() += 1;
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.uploads.begin()->second.acknowledged += 1;
  EXPECT_NE(find_fault(whole, more), "");
  more = promises;
  more.uploads.begin()->second.stands = Uploading::Stands::stored;
  EXPECT_NE(find_fault(whole, more), "");
}

}  // namespace
}  // namespace gateway::at_rest
