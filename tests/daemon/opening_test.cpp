// LOCKED, ready, failed, with the real keyring, database and objects.
#include "daemon/opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "daemon/credential_source.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class OpeningTest : public testing::Test {
 protected:
  std::unique_ptr<Opening> make() {
    OpeningOptions options;
    options.holdings.state_folder = state_;
    options.holdings.worklist.time_zone = "UTC";
    options.look_every = milliseconds(5);
    options.retry_failed_every = milliseconds(5);
    options.credentials_folder = credentials_;
    return std::make_unique<Opening>(
        loop_.get_executor(), core::system_files(), core::system_clock(),
        PassphraseSource(file_, ""), std::move(options),
        [this](std::shared_ptr<sync::Holdings> holdings, const std::string& by) {
          holdings_ = std::move(holdings);
          opened_by_ = by;
        },
        [this] { ++changes_; });
  }

  void put_passphrase(const std::string& text) { std::ofstream(file_) << text; }

  /// Runs the loop until the opening says so; false when it does not within 30 s.
  bool reaches(const Opening& opening, OpeningState state) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (opening.report().state != state) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.run_one_for(seconds(1));
    }
    return true;
  }

  static crypto::Passphrase words(std::string_view text) { return {crypto::Secret::copy_of(text)}; }

  core::Status unlock(Opening& opening, std::string_view text) {
    std::optional<core::Status> answer;
    opening.unlock(words(text), [&](core::Status status) { answer = std::move(status); });
    while (!answer) loop_.run_one_for(seconds(30));
    return *answer;
  }

  TempFolder folder_;
  std::string state_ = folder_.path() + "/state";
  std::string file_ = folder_.path() + "/passphrase";
  std::string credentials_;
  boost::asio::io_context loop_;
  // Without work a loop stops for good, and nothing sent later would be answered.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> running_{
      loop_.get_executor()};
  std::shared_ptr<sync::Holdings> holdings_;
  std::string opened_by_;
  int changes_ = 0;
};

TEST_F(OpeningTest, StaysLockedUntilThePassphraseFileAppears) {
  auto opening = make();
  opening->start();
  EXPECT_EQ(opening->report().state, OpeningState::locked);
  EXPECT_THAT(opening->report().reason, HasSubstr(file_));
  EXPECT_FALSE(opening->report().set_up);
  put_passphrase("first words\n");
  ASSERT_TRUE(reaches(*opening, OpeningState::ready));
  EXPECT_TRUE(holdings_);
  EXPECT_EQ(opened_by_, "passphrase file");
  EXPECT_EQ(opening->report().key_protection, "passphrase");
  EXPECT_EQ(opening->report().reason, "");
}

TEST_F(OpeningTest, AWrongPassphraseIsAnsweredAndLeavesItLocked) {
  {
    auto first = make();
    first->start();
    ASSERT_TRUE(unlock(*first, "right").ok());
    EXPECT_EQ(opened_by_, "operator");
    holdings_.reset();
  }
  auto opening = make();
  opening->start();
  EXPECT_TRUE(opening->report().set_up);
  const core::Status wrong = unlock(*opening, "wrong");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code(), core::Code::locked);
  EXPECT_EQ(opening->report().state, OpeningState::locked);
  EXPECT_TRUE(unlock(*opening, "right").ok());
  EXPECT_TRUE(unlock(*opening, "whatever").ok()) << "it is ready already";
}

TEST_F(OpeningTest, WhatARestoreThatWasCutOffLeftIsNoGateway) {
  std::filesystem::create_directories(state_);
  std::ofstream(state_ + "/restore-unfinished") << "unfinished\n";
  auto opening = make();
  opening->start();
  const core::Status refused = unlock(*opening, "words");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::corrupt);
  EXPECT_THAT(refused.error().message(), HasSubstr("restore --from again"));
  EXPECT_FALSE(std::filesystem::exists(state_ + "/keyring.json"));
  EXPECT_FALSE(std::filesystem::exists(state_ + "/gateway.db"));
}

TEST_F(OpeningTest, ARestoreCutOffAtItsVeryEndIsOverOnceTheGatewayOpened) {
  {
    auto first = make();
    first->start();
    ASSERT_TRUE(unlock(*first, "words").ok());
    holdings_.reset();
  }
  std::ofstream(state_ + "/restore-unfinished") << "unfinished\n";
  auto opening = make();
  opening->start();
  const core::Status opened = unlock(*opening, "words");
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_FALSE(std::filesystem::exists(state_ + "/restore-unfinished"))
      << "a later restore would put this gateway out of the way";
}

TEST_F(OpeningTest, ARunningAttemptIsNotDisturbed) {
  auto opening = make();
  opening->start();
  opening->unlock(words("one"), [](core::Status) {});
  std::optional<core::Status> second;
  opening->unlock(words("two"), [&](core::Status status) { second = std::move(status); });
  ASSERT_TRUE(second);
  EXPECT_EQ(second->error().code(), core::Code::busy);
}

TEST_F(OpeningTest, StoppingDuringAnAttemptOpensNothing) {
  auto opening = make();
  opening->start();
  opening->unlock(words("one"), [](core::Status) {});
  opening->stop();
  running_.reset();
  loop_.run();
  EXPECT_FALSE(holdings_);
}

TEST_F(OpeningTest, TheMachinesCredentialComesFirstAndAPassphraseAfterIt) {
  const std::string hex(64, 'a');
  put_passphrase("words");
  {
    auto first = make();
    first->start();
    ASSERT_TRUE(reaches(*first, OpeningState::ready));
    crypto::NewSlot slot{crypto::NewCredential{read_slot_key(hex).value(), "host"}, "board"};
    ASSERT_TRUE(holdings_->keyring().add_slot(slot).ok());
    holdings_.reset();
  }
  credentials_ = folder_.path();
  std::ofstream(credentials_ + "/slot-key") << hex << '\n';
  {
    auto opening = make();
    opening->start();
    ASSERT_TRUE(reaches(*opening, OpeningState::ready)) << opening->report().reason;
    EXPECT_EQ(opened_by_, "credential");
    EXPECT_EQ(opening->report().key_protection, "host");
    holdings_.reset();
  }
  std::ofstream(credentials_ + "/slot-key") << std::string(64, 'b') << '\n';
  auto opening = make();
  opening->start();
  ASSERT_TRUE(reaches(*opening, OpeningState::ready)) << opening->report().reason;
  EXPECT_EQ(opened_by_, "passphrase file");
  EXPECT_EQ(opening->report().key_protection, "passphrase");
  const auto refusals = opening->take_refusals();
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0].kind, "credential");
}

TEST_F(OpeningTest, SaysWhatWasTriedWhenNothingOpens) {
  put_passphrase("right");
  {
    auto first = make();
    first->start();
    ASSERT_TRUE(reaches(*first, OpeningState::ready));
    holdings_.reset();
  }
  credentials_ = folder_.path();
  std::ofstream(credentials_ + "/slot-key") << "too short\n";
  put_passphrase("wrong");
  auto opening = make();
  opening->start();
  const auto said = [&] {
    return opening->report().reason.find("opens none") != std::string::npos;
  };
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (!said() && std::chrono::steady_clock::now() < deadline) loop_.run_one_for(seconds(1));
  EXPECT_EQ(opening->report().state, OpeningState::locked);
  EXPECT_THAT(opening->report().reason, HasSubstr("the credential slot-key is not 64"));
  EXPECT_THAT(opening->report().reason, HasSubstr("the passphrase opens none"));
}

TEST_F(OpeningTest, AFolderThatCannotBeUsedFailsAndIsTriedAgain) {
  std::ofstream(state_) << "in the way";
  put_passphrase("words");
  auto opening = make();
  opening->start();
  ASSERT_TRUE(reaches(*opening, OpeningState::failed));
  EXPECT_THAT(opening->report().reason, HasSubstr(state_));
  std::filesystem::remove(state_);
  EXPECT_TRUE(reaches(*opening, OpeningState::ready));
}

}  // namespace
}  // namespace gateway::daemon
