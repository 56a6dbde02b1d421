// The key slots' routes with the real keyring and database: what they refuse, and what the audit
// trail holds afterwards.
#include "daemon/ops/keys_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Json;
using testing::ElementsAre;
using testing::HasSubstr;

class KeysApiTest : public testing::Test {
 protected:
  KeysApiTest() {
    options_.holdings.state_folder = folder_.path() + "/state";
    options_.holdings.worklist.time_zone = "UTC";
    opening_.emplace(
        loop_.get_executor(), core::system_files(), core::system_clock(), PassphraseSource("", ""),
        options_,
        [this](std::shared_ptr<sync::Holdings> holdings, const std::string&) {
          door_.open(std::move(holdings));
        },
        [] {});
    opening_->start();
    api_.emplace(loop_.get_executor(), core::system_files(), options_.holdings.state_folder,
                 core::system_clock(), door_, *opening_);
  }
  ~KeysApiTest() override {
    opening_->stop();
    api_->stop();
    door_.close();
  }

  core::Result<Json> send(const std::string& method, const std::string& path,
                          const std::string& body = "") {
    std::optional<core::Result<Json>> answer;
    boost::asio::co_spawn(
        loop_,
        [](KeysApi& api, std::string how, std::string where, std::string what,
           std::optional<core::Result<Json>>& out) -> core::net::Awaitable<void> {
          out = co_await api.answer(std::move(how), std::move(where), std::move(what));
        }(*api_, method, path, body, answer),
        boost::asio::detached);
    while (!answer) loop_.run_one_for(std::chrono::seconds(30));
    return std::move(*answer);
  }
  core::Result<Json> post(const std::string& route, const std::string& body) {
    return send("POST", "/v1/keys/" + route, body);
  }
  Code code_of(const core::Result<Json>& answer) {
    return answer.ok() ? Code::internal : answer.error().code();
  }

  /// "action outcome" of every row, oldest first.
  std::vector<std::string> trail() {
    const auto rows = door_.get()->database().read_value<std::vector<std::string>>(
        [](crypto::Connection& connection) -> core::Result<std::vector<std::string>> {
          std::vector<std::string> found;
          GW_TRY(auto read, connection.query("SELECT action, outcome FROM audit ORDER BY rowid"));
          while (true) {
            GW_TRY(const bool more, read.next());
            if (!more) return found;
            found.push_back(std::string(read.text(0)) + " " + std::string(read.text(1)));
          }
        });
    return rows.ok() ? *rows : std::vector<std::string>{rows.error().message()};
  }

  TempFolder folder_;
  boost::asio::io_context loop_;
  // Without work a loop stops for good, and nothing sent later would be answered.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> running_{
      loop_.get_executor()};
  OpeningOptions options_;
  sync::HoldingsDoor door_;
  std::optional<Opening> opening_;
  std::optional<KeysApi> api_;
};

TEST_F(KeysApiTest, EveryChangeAndEveryRefusalIsInTheTrail) {
  ASSERT_TRUE(post("unlock", "{\"kind\":\"passphrase\"}\nquiet otters").ok());
  EXPECT_EQ(code_of(post("prove", "{\"kind\":\"passphrase\"}\nloud otters")), Code::locked);
  const auto slots = send("GET", "/v1/keys");
  ASSERT_TRUE(slots.ok());
  const std::string id((*slots)["slots"][std::size_t{0}]["id"].text());
  const auto last = post("remove", "{\"id\":\"" + id + "\"}");
  EXPECT_EQ(code_of(last), Code::invalid);
  EXPECT_THAT(last.error().message(), HasSubstr("last key slot"));
  const std::string code = "{\"kind\":\"recovery\"}\n";
  const crypto::Secret text = crypto::write_recovery_code(crypto::RecoveryCode::random());
  const std::string typed(reinterpret_cast<const char*>(text.bytes().data()), text.size());
  ASSERT_TRUE(post("add", code + typed).ok());
  ASSERT_TRUE(post("prove", code + typed).ok()) << "it was written down";
  EXPECT_TRUE(post("remove", "{\"id\":\"" + id + "\"}").ok());
  EXPECT_THAT(trail(), ElementsAre("prove key slot locked", "remove key slot invalid",
                                   "add key slot: recovery success", "prove key slot success",
                                   "remove key slot success"));
}

TEST_F(KeysApiTest, WhatIsNotUnderstoodChangesNothingAndQuotesNoSecret) {
  ASSERT_TRUE(post("unlock", "{\"kind\":\"passphrase\"}\nquiet otters").ok());
  EXPECT_EQ(code_of(send("GET", "/v1/keys/add")), Code::refused);
  EXPECT_EQ(code_of(send("POST", "/v1/keys")), Code::refused);
  EXPECT_EQ(code_of(post("dance", "{}")), Code::not_found);
  EXPECT_EQ(code_of(post("add", "")), Code::invalid);
  EXPECT_EQ(code_of(post("add", "[]\nx")), Code::invalid);
  EXPECT_EQ(code_of(post("add", "{\"kind\":\"passphrase\"}\n")), Code::invalid);
  EXPECT_EQ(code_of(post("add", "{\"kind\":\"passphrase\"}\n" + std::string(5000, 'x'))),
            Code::invalid);
  EXPECT_EQ(code_of(post("add", "{\"kind\":\"laser\"}\nx")), Code::invalid);
  EXPECT_EQ(code_of(post("add", "{\"kind\":\"tang\",\"url\":\"no url\"}")), Code::invalid);
  for (const char* kind : {"recovery", "escrow", "credential"}) {
    const auto answer =
        post("add", "{\"sealed_with\":\"host\",\"kind\":\"" + std::string(kind) + "\"}\nhush-hush");
    EXPECT_EQ(code_of(answer), Code::invalid) << kind;
    EXPECT_THAT(answer.error().message(), testing::Not(HasSubstr("hush"))) << kind;
  }
  EXPECT_EQ((*send("GET", "/v1/keys"))["slots"].size(), 1u);
}

TEST_F(KeysApiTest, ALockedGatewayTakesOnlyWhatUnlocksIt) {
  EXPECT_EQ(code_of(send("GET", "/v1/keys")), Code::not_found) << "it was never set up";
  EXPECT_EQ(code_of(post("add", "{\"kind\":\"passphrase\"}\nx")), Code::locked);
  EXPECT_EQ(code_of(post("remove", "{\"id\":\"1\"}")), Code::locked);
  EXPECT_EQ(code_of(post("prove", "{\"kind\":\"passphrase\"}\nx")), Code::locked);
  EXPECT_EQ(code_of(post("unlock", "{\"kind\":\"credential\"}\n" + std::string(64, '0'))),
            Code::locked);
  const auto opened = post("unlock", "{\"kind\":\"passphrase\"}\nquiet otters");
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ((*opened)["slot"]["kind"].text(), "passphrase");
}

}  // namespace
}  // namespace gateway::daemon
