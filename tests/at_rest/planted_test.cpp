// Fifty strings that name or show a patient, or open what does, go in through the paths a life
// takes; nothing that lies on the disk or was logged shows one: after each step, and after the
// power went in the middle of it. And the look finds each one where it was put down by hand.
#include "tests/at_rest/planted.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "core/log.h"
#include "core/text.h"
#include "tests/at_rest/life.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::at_rest {
namespace {

constexpr std::uint64_t kCutEvery = 7;
constexpr std::uint64_t kStartEvery = 101;

/// What the process writes to its log meanwhile, all of it.
class LogCapture {
 public:
  explicit LogCapture(std::string path) : path_(std::move(path)), stderr_(::dup(STDERR_FILENO)) {
    std::fflush(stderr);
    EXPECT_NE(std::freopen(path_.c_str(), "w", stderr), nullptr);
    core::set_log_level(core::Level::debug);
  }
  ~LogCapture() { stop(); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::string stop() {
    if (stderr_ >= 0) {
      core::set_log_level(core::Level::error);
      std::fflush(stderr);
      ::dup2(stderr_, STDERR_FILENO);
      ::close(std::exchange(stderr_, -1));
    }
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  const std::string path_;
  int stderr_;
};

std::string put_down(const std::string& form) { return core::cat("some bytes ", form, " more"); }

TEST(PlantedStrings, AreNowhereToBeReadInAWholeLife) {
  crypto::ScratchFolder scratch;
  LogCapture log(scratch / "log");
  Life life(new_disk(), {});
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::string found;
  std::vector<fakes::DiskImage> cuts;
  const auto look_at = [&](const fakes::DiskImage& image) {
    for (const auto& [path, content] : image.files) {
      ++files;
      bytes += content.size();
    }
    if (found.empty()) found = find_planted(image.files);
  };
  life.disk().watch([&](std::uint64_t operation, const fakes::FaultFiles::AfterPowerCut& after) {
    if (operation % kCutEvery == 0) look_at(after(fakes::Unsynced::kept));
    if (operation % kStartEvery == 0) cuts.push_back(after(fakes::Unsynced::torn));
  });
  for (const Step& step : whole_life()) {
    const auto lived = step.run(life);
    ASSERT_TRUE(lived.ok()) << step.name << ": " << lived.error().message();
    look_at(life.disk().image());
    EXPECT_EQ(found, "") << step.name;
  }
  life.disk().watch(nullptr);
  life.close();
  look_at(life.disk().image());
  EXPECT_EQ(found, "");
  for (const fakes::DiskImage& cut : cuts) {
    Life again(cut, {});
    const auto opened = again.open();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    again.close();
    look_at(again.disk().image());
  }
  EXPECT_EQ(found, "") << "after a start from what a power cut left";
  const std::string logged = log.stop();
  EXPECT_FALSE(logged.empty());
  EXPECT_EQ(find_planted(logged), "");
  std::cout << "looked for " << planted().size() << " strings, " << forms_of("abcdefgh").size()
            << " forms each, in " << files << " files (" << bytes / 1'000'000 << " MB), "
            << cuts.size() << " of the disks started again, and in the log; found "
            << (found.empty() ? 0 : 1) << "\n";
  EXPECT_GE(planted().size(), 50U);
}

/// That they went in: each one of a patient can be read by who has the keys.
TEST(PlantedStrings, AreThereForWhoOpensTheGateway) {
  Life life(new_disk(), {});
  for (const Step& step : whole_life().first(3)) ASSERT_TRUE(step.run(life).ok()) << step.name;
  for (const Person& person : kPersons) {
    for (std::string_view text :
         {person.family, person.given, person.id, person.birth_date, person.accession}) {
      const auto rows = life.held().database().read_value<std::optional<std::int64_t>>(
          [&](crypto::Connection& connection) {
            return connection.integer(
                "SELECT count(*) FROM resource_version WHERE instr(body, ?) > 0", text);
          });
      ASSERT_TRUE(rows.ok());
      EXPECT_GE(rows->value_or(0), 1) << text;
    }
  }
}

TEST(PlantedStrings, AreFoundWhereOneLiesInPlaintext) {
  for (const std::string& text : planted()) {
    for (const std::string& form : forms_of(text)) {
      ASSERT_GE(form.size(), 8U) << text;
      ASSERT_EQ(find_planted(put_down(form)), text);
    }
  }
  Life life(new_disk(), {});
  ASSERT_TRUE(whole_life().front().run(life).ok());
  life.close();
  fakes::DiskImage image = life.disk().image();
  ASSERT_EQ(find_planted(image.files), "");
  image.files["/state/note"] = put_down(planted().back());
  EXPECT_EQ(find_planted(image.files), core::cat("/state/note: ", planted().back()));
  image.files.erase("/state/note");
  image.files[core::cat("/state/", kPersons[0].id)] = "";
  EXPECT_NE(find_planted(image.files), "") << "a name of a file tells, too";
}

}  // namespace
}  // namespace gateway::at_rest
