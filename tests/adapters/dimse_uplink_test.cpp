// Images to a PACS by C-STORE: to DCMTK's storescp, which knows no storage commitment, and to a
// gateway in its place, which does.
#include "adapters/dicom/dimse_uplink.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>

#include "adapters/dicom/echo.h"
#include "adapters/dicom/store_status.h"
#include "sync/outbox.h"
#include "sync/replica.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(StoreStatus, SaysWhatItMeansForTheInstance) {
  EXPECT_EQ(store_answer(0x0000), StoreAnswer::stored);
  EXPECT_EQ(store_answer(0xb000), StoreAnswer::warned);
  EXPECT_EQ(store_answer(0xb007), StoreAnswer::warned);
  EXPECT_EQ(store_answer(0x0111), StoreAnswer::have_it);
  for (const int passing : {0xa700, 0xa701, 0xa7ff, 0x0110, 0x0213})
    EXPECT_EQ(store_answer(static_cast<std::uint16_t>(passing)), StoreAnswer::try_later);
  for (const int final : {0xa900, 0xc000, 0xc123, 0x0122, 0x0124, 0x0117})
    EXPECT_EQ(store_answer(static_cast<std::uint16_t>(final)), StoreAnswer::refused);
  EXPECT_EQ(status_words(0xa700), "A700 (out of resources)");
  EXPECT_EQ(status_words(0xc0fe), "C0FE (cannot understand)");
  EXPECT_EQ(status_words(0x0122), "0122 (SOP class not supported)");
}

class DimseUplinkTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    fs::create_directory(folder_ + "/got");
    uplink_.name = "pacs";
    uplink_.calling_title = "GW";
    uplink_.peer.name = "pacs";
    uplink_.peer.ae_title = "PACS";
    uplink_.peer.host = "127.0.0.1";
    uplink_.peer.port = free_port();
    uplink_.patience = std::chrono::seconds(10);
  }
  void TearDown() override {
    if (storescp_ > 0) {
      ::kill(storescp_, SIGTERM);
      ::waitpid(storescp_, nullptr, 0);
    }
    DicomServerTest::TearDown();
  }

  void begin_pacs() {
    std::vector<std::string> words = {"storescp", "+xa", "-od", folder_ + "/got",
                                      std::to_string(uplink_.peer.port)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ASSERT_EQ(::posix_spawnp(&storescp_, "storescp", nullptr, nullptr, arguments.data(), environ),
              0);
    ASSERT_TRUE(eventually([this] {
      return run_command(cat("echoscu 127.0.0.1 ", uplink_.peer.port, " 2>&1")).status == 0;
    }));
  }
  void serve_with_images(int count) {
    unlock();
    serve();
    for (int i = 1; i <= count; ++i) {
      DcmFileFormat file;
      fill_ct(*file.getDataset(), i, 40'000);
      (void)file.getDataset()->putAndInsertString(DCM_IssuerOfPatientID, "SENT");
      const std::string path = cat(folder_, "/", i, ".dcm");
      ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
      const Ran sent = run("storescu", path);
      ASSERT_EQ(sent.status, 0) << sent.output;
    }
  }
  std::unique_ptr<sync::Uplink> make() {
    auto made = make_dimse_uplink(uplink_, door_.get(), core::system_clock());
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(*made);
  }

  template <class T>
  static T wait_for(core::net::Awaitable<T> task) {
    boost::asio::io_context loop(1);
    std::optional<T> answer;
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr failed, T value) {
      EXPECT_FALSE(failed);
      answer.emplace(std::move(value));
    });
    loop.run();
    return std::move(*answer);
  }
  std::vector<sync::OutboxRow> claim() {
    sync::Claim claimed;
    const auto change = [&](crypto::Connection& connection) -> core::Status {
      GW_TRY(claimed, sync::claim_rows(connection, "pacs", {64, 1U << 30, {}, nullptr}));
      return {};
    };
    EXPECT_TRUE(door_.get()->database().write(change).ok());
    return claimed.rows;
  }
  /// Writes down what was delivered, as the engine would have it.
  void record(const std::vector<sync::RowOutcome>& outcomes) {
    std::vector<sync::Verdict> verdicts;
    for (const sync::RowOutcome& outcome : outcomes) {
      sync::Verdict verdict;
      verdict.number = outcome.number;
      if (outcome.result == sync::Delivery::delivered) verdict.what = sync::Verdict::What::done;
      verdicts.push_back(verdict);
    }
    const auto change = [&](crypto::Connection& connection) {
      return sync::record_verdicts(connection, "pacs", verdicts, "2026-03-01T08:00:00.000Z");
    };
    EXPECT_TRUE(door_.get()->database().write(change).ok());
  }
  std::int64_t committed() {
    return count("SELECT count(*) FROM dicom_delivery WHERE proof = 'committed'");
  }
  std::size_t got() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_ + "/got"), fs::directory_iterator()));
  }

  DicomUplink uplink_;
  pid_t storescp_ = -1;
};

TEST_F(DimseUplinkTest, AnEchoTellsAPacsThatKnowsUsFromOneThatDoesNot) {
  const core::Status nobody = echo(uplink_);
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code(), core::Code::unavailable);
  begin_pacs();
  const core::Status answered = echo(uplink_);
  EXPECT_TRUE(answered.ok()) << answered.error().message();
  unlock();
  serve();
  uplink_.peer.port = server_->port();
  uplink_.peer.ae_title = "NOT-GW";
  const core::Status refused = echo(uplink_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::unavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr("Rejected"));
}

TEST_F(DimseUplinkTest, SendsWhatIsHeldOverOneAssociation) {
  begin_pacs();
  serve_with_images(5);
  const auto uplink = make();
  const auto outcomes = wait_for(uplink->deliver(claim()));
  ASSERT_EQ(outcomes.size(), 5u);
  for (const auto& outcome : outcomes)
    EXPECT_EQ(outcome.result, sync::Delivery::delivered) << outcome.reason;
  ASSERT_EQ(got(), 5u);
  for (const auto& entry : fs::directory_iterator(folder_ + "/got")) {
    DcmFileFormat arrived;
    ASSERT_TRUE(arrived.loadFile(entry.path().c_str()).good());
    OFString number;
    ASSERT_TRUE(arrived.getDataset()->findAndGetOFString(DCM_SOPInstanceUID, number).good());
    DcmFileFormat sent;
    const std::string last(number.c_str() + number.rfind('.') + 1);
    ASSERT_TRUE(sent.loadFile(cat(folder_, "/", last, ".dcm").c_str()).good());
    EXPECT_EQ(encode(*arrived.getDataset(), EXS_LittleEndianExplicit),
              encode(*sent.getDataset(), EXS_LittleEndianExplicit));
  }
}

TEST_F(DimseUplinkTest, APacsWithoutStorageCommitmentProvesNothing) {
  begin_pacs();
  serve_with_images(1);
  const auto uplink = make();
  EXPECT_TRUE(wait_for(uplink->pull()).idle) << "nothing was delivered yet";
  record(wait_for(uplink->deliver(claim())));
  EXPECT_TRUE(uplink->abilities().is_null());
  const auto asked = wait_for(uplink->pull());
  EXPECT_TRUE(asked.reached && !asked.idle) << asked.error;
  EXPECT_EQ(uplink->abilities()["storage_commitment"], core::Json(false));
  EXPECT_EQ(committed(), 0);
  EXPECT_TRUE(wait_for(uplink->pull()).idle) << "it is not asked again at once";
}

TEST_F(DimseUplinkTest, WhereNobodyAnswersNothingIsSent) {
  serve_with_images(2);
  const auto uplink = make();
  const auto outcomes = wait_for(uplink->deliver(claim()));
  ASSERT_EQ(outcomes.size(), 2u);
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.result, sync::Delivery::unreached);
    EXPECT_THAT(outcome.reason, HasSubstr("no association"));
  }
}

TEST_F(DimseUplinkTest, TheIdentityIsTheOneOfTodayWithTheSentOneBesideIt) {
  begin_pacs();
  serve_with_images(1);
  auto patient = core::Json::parse(
      R"({"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:oid:2.25.1","value":"P77"}],)"
      R"("name":[{"family":"Corrected","given":["Jane"]}]})");
  ASSERT_TRUE(patient.ok());
  const auto correct = [&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(
        sync::put_resource(connection, {"Patient", "p1"}, *patient, "his", "2026-03-01T00:00:00Z"));
    return connection.run("UPDATE dicom_study SET identity = 'linked', patient = 'p1'");
  };
  ASSERT_TRUE(door_.get()->database().write(correct).ok());
  const auto uplink = make();
  const auto outcomes = wait_for(uplink->deliver(claim()));
  ASSERT_EQ(outcomes.at(0).result, sync::Delivery::delivered) << outcomes.at(0).reason;
  DcmFileFormat arrived;
  ASSERT_TRUE(arrived.loadFile(fs::directory_iterator(folder_ + "/got")->path().c_str()).good());
  OFString value;
  EXPECT_TRUE(arrived.getDataset()->findAndGetOFString(DCM_PatientID, value).good());
  EXPECT_EQ(value, "P77");
  EXPECT_FALSE(arrived.getDataset()->tagExists(DCM_IssuerOfPatientID)) << "that of the other id";
  DcmItem* record = nullptr;
  ASSERT_TRUE(
      arrived.getDataset()->findAndGetSequenceItem(DCM_OriginalAttributesSequence, record).good());
  DcmItem* original = nullptr;
  ASSERT_TRUE(record->findAndGetSequenceItem(DCM_ModifiedAttributesSequence, original).good());
  EXPECT_TRUE(original->findAndGetOFString(DCM_PatientID, value).good());
  EXPECT_NE(value, "P77");
  EXPECT_TRUE(original->findAndGetOFString(DCM_IssuerOfPatientID, value).good());
  EXPECT_EQ(value, "SENT");
}

TEST_F(DimseUplinkTest, EndsAtOnceWhenTheGatewayStops) {
  // It takes the connection and never says a word.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(uplink_.peer.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent, 4), 0);
  serve_with_images(1);
  const auto uplink = make();
  std::thread stopping([&] {
    const int taken = ::accept(silent, nullptr, nullptr);
    uplink->close();
    ::close(taken);
  });
  const auto outcomes = wait_for(uplink->deliver(claim()));
  stopping.join();
  ::close(silent);
  EXPECT_EQ(outcomes.at(0).result, sync::Delivery::unreached);
}

/// A gateway as the PACS: it grants what its own copy proves, on an association of its own.
TEST_F(DimseUplinkTest, WhatThePacsCommitsItselfToIsProven) {
  options_.port = free_port();
  DicomPeer pacs = uplink_.peer;
  pacs.host = "127.0.0.1";
  options_.peers = {pacs};
  options_.uplink_peers = {{"pacs", "pacs"}};
  serve_with_images(3);

  const std::string there = folder_ + "-pacs";
  fs::create_directory(there);
  const crypto::Passphrase passphrase{
      crypto::Secret::copy_of(std::string_view("a test's passphrase"))};
  static const StillClock still;
  auto keyring =
      crypto::Keyring::create(core::system_files(), there + "/keyring", passphrase, still);
  ASSERT_TRUE(keyring.ok());
  sync::HoldingsOptions holding;
  holding.state_folder = there;
  auto held = sync::Holdings::open(core::system_files(), std::move(*keyring), core::system_clock(),
                                   holding);
  ASSERT_TRUE(held.ok()) << held.error().message();
  sync::HoldingsDoor door;
  door.open(*held);
  DicomOptions options;
  options.bind = "127.0.0.1";
  options.port = uplink_.peer.port;
  options.ae_title = "PACS";
  options.peers = {DicomPeer{"GW", "127.0.0.1", options_.port}};
  auto server = DicomServer::create(options, door, core::system_clock());
  ASSERT_TRUE(server->start().ok());
  {
    const auto uplink = make();
    record(wait_for(uplink->deliver(claim())));
    const auto asked = wait_for(uplink->pull());
    EXPECT_TRUE(asked.reached) << asked.error;
    EXPECT_EQ(uplink->abilities()["storage_commitment"], core::Json(true));
    EXPECT_EQ(committed(), 0);
    // What its upkeep would find out: every copy is whole.
    const auto decide = [](crypto::Connection& connection) -> core::Status {
      GW_CHECK(connection.run("UPDATE dicom_instance SET digest = 'read'"));
      GW_TRY([[maybe_unused]] const auto ready,
             sync::decide_commitments(connection, sync::CommitmentRule::stored,
                                      [](std::int64_t) { return false; }));
      return {};
    };
    ASSERT_TRUE((*held)->database().write(decide).ok());
    EXPECT_TRUE(eventually([&] { return committed() == 3; }));
  }
  server->stop();
  door.close();
  held->reset();
  fs::remove_all(there);
}

}  // namespace
}  // namespace gateway::adapters::dicom
