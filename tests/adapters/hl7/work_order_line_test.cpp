// Tubes a device asked about, on their way to it: how many wait, what each is looked up for, and
// that nothing stands still for good.
#include "adapters/hl7/work_order_line.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <stdexcept>

#include "core/text.h"
#include "tests/fakes/certificates.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Waiting : public ::testing::Test {
 protected:
  Waiting() {
    line_ = std::make_shared<WorkOrderLine>(
        "chem", MllpPeer{},
        [this](const AskedTube& tube) -> core::Result<std::optional<WorkOrderMessage>> {
          if (tube.specimen == "bad") throw std::runtime_error("a fault");
          looked_up_.push_back(cat(tube.specimen, tube.tells_none ? "!" : ""));
          return std::optional<WorkOrderMessage>();
        },
        core::system_clock());
    line_->open();
  }
  std::string send(const std::vector<std::string>& tubes, bool tells_none = false) {
    std::vector<AskedTube> asked;
    for (const std::string& one : tubes) asked.push_back({"chem|", one, tells_none});
    return std::string(line_->send(loop_.get_executor(), std::move(asked)));
  }
  void run() {
    loop_.restart();
    loop_.run();
  }

  boost::asio::io_context loop_;
  std::shared_ptr<WorkOrderLine> line_;
  std::vector<std::string> looked_up_;
};

TEST_F(Waiting, EachIsLookedUpOnceHoweverOftenItWasAskedFor) {
  EXPECT_EQ(send({"T1", "T2"}), "");
  EXPECT_EQ(send({"T2"}, true), "");
  EXPECT_EQ(send({"T1"}), "");
  run();
  EXPECT_THAT(looked_up_, ElementsAre("T1", "T2!"));
}

TEST_F(Waiting, ThereIsABoundAndNoneIsTakenBeyondIt) {
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back(cat("T", i));
  EXPECT_EQ(send(many), "");
  EXPECT_EQ(send({"T7"}), "") << "it waits already";
  EXPECT_THAT(send({"T7", "other"}), HasSubstr("too many work orders wait"));
  run();
  EXPECT_EQ(looked_up_.size(), 200U);
  EXPECT_EQ(send({"other"}), "");
}

TEST_F(Waiting, AFaultEndsWhatWaitsAndNotWhatIsAskedAfterIt) {
  EXPECT_EQ(send({"bad", "T1"}), "");
  run();
  EXPECT_THAT(looked_up_, ElementsAre());
  EXPECT_EQ(send({"T2"}), "");
  run();
  EXPECT_THAT(looked_up_, ElementsAre("T2"));
}

TEST_F(Waiting, AStopIsSaidAsWhatItIs) {
  EXPECT_EQ(send({"T1"}), "");
  line_->close();
  EXPECT_THAT(send({"T2"}), HasSubstr("the gateway stops"));
  run();
  EXPECT_THAT(looked_up_, ElementsAre());
}

TEST(MllpPeerTls, IsReadAgainOnceItsFilesAreOthers) {
  const fakes::TestFolder folder;
  const fakes::TestCa ca(folder, "ca");
  const fakes::TestCa other(folder, "other");
  MllpPeer peer;
  const auto plain = tls_of(peer, nullptr);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(*plain, nullptr);
  peer.tls = core::net::TlsIdentity{"lab.example", ca.file(), "", ""};
  const auto first = tls_of(peer, nullptr);
  ASSERT_TRUE(first.ok()) << first.error().message();
  const auto second = tls_of(peer, *first);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*second, *first);
  std::filesystem::rename(other.file(), ca.file());
  const auto third = tls_of(peer, *second);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(*third, *second);
  std::filesystem::remove(ca.file());
  EXPECT_THAT(tls_of(peer, *third).error().message(), HasSubstr(ca.file()));
}

}  // namespace
}  // namespace gateway::adapters::hl7
