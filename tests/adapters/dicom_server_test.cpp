// The DICOM server on loopback, with real database and sealed objects, against DCMTK's requester
// side, its command line tools and raw sockets.
#include "adapters/dicom/dicom_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "core/clock.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "sync/commitment.h"
#include "sync/replica.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/deep_data_set.h"
#include "tests/adapters/dicom_served.h"
#include "tests/adapters/scu.h"

namespace gateway::adapters::dicom {
namespace {

using core::Json;

TEST_F(DicomServerTest, StoresWhatWasSentByteForByte) {
  unlock();
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1, 300'000);
  auto scu = connect();
  EXPECT_EQ(scu->store(data_set).status, 0x0000);
  scu->release();
  const std::string sent = encode(data_set, EXS_LittleEndianExplicit, EET_ExplicitLength);

  std::string object_id;
  std::int64_t offset = 0;
  ASSERT_TRUE(door_.get()
                  ->database()
                  .read([&](crypto::Connection& connection) -> core::Status {
                    GW_TRY(auto rows, connection.query(
                                          "SELECT object_id, data_set_offset FROM dicom_instance"));
                    GW_TRY(const bool found, rows.next());
                    EXPECT_TRUE(found);
                    object_id = rows.text(0);
                    offset = rows.integer(1);
                    return {};
                  })
                  .ok());
  auto reader = door_.get()->objects().open_object(object_id);
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  std::string held((*reader)->size(), '\0');
  const auto read = (*reader)->read(0, std::as_writable_bytes(std::span(held)));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(held.substr(128, 4), "DICM");
  const std::string data_set_held = held.substr(static_cast<std::size_t>(offset));
  EXPECT_EQ(data_set_held.size(), sent.size());
  EXPECT_TRUE(data_set_held == sent);
}

TEST_F(DicomServerTest, ServesTheToolsOfDcmtk) {
  unlock();
  serve();
  EXPECT_EQ(run("echoscu", "").status, 0);
  for (int i = 1; i <= 3; ++i) {
    DcmFileFormat file;
    fill_ct(*file.getDataset(), i);
    ASSERT_TRUE(file.saveFile((folder_ + "/" + std::to_string(i) + ".dcm").c_str(),
                              EXS_LittleEndianExplicit)
                    .good());
  }
  const Ran stored =
      run("storescu", core::cat(folder_, "/1.dcm ", folder_, "/2.dcm ", folder_, "/3.dcm"));
  EXPECT_EQ(stored.status, 0) << stored.output;
  EXPECT_EQ(instances(), 3);
  const Ran found = run("findscu", "-W -k 0010,0010=");
  EXPECT_EQ(found.status, 0) << found.output;
}

TEST_F(DicomServerTest, TakesFragmentsOfAnyLength) {
  unlock();
  serve();
  auto scu = connect();
  int number = 0;
  for (const std::size_t cut : {1u, 7u, 333u, 4'096u}) {
    DcmDataset data_set;
    fill_ct(data_set, ++number);
    EXPECT_EQ(scu->store_in_fragments(data_set, cut).status, 0x0000) << cut;
  }
  EXPECT_EQ(instances(), 4);
}

TEST_F(DicomServerTest, ResendIsSuccessAndOtherBytesAreKeptBeside) {
  unlock();
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1);
  auto scu = connect();
  EXPECT_EQ(scu->store(data_set).status, 0x0000);
  EXPECT_EQ(scu->store(data_set).status, 0x0000);
  EXPECT_EQ(instances(), 1);
  put(data_set, DCM_InstanceNumber, "99");
  EXPECT_EQ(scu->store(data_set).status, 0x0000);
  EXPECT_EQ(instances(), 2);
  EXPECT_EQ(counted("stored"), 1);
  EXPECT_EQ(counted("repeated"), 1);
  EXPECT_EQ(counted("other_copies"), 1);
}

TEST_F(DicomServerTest, LockedItEchoesAndSaysOutOfResources) {
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1, 200'000);
  auto scu = connect();
  EXPECT_EQ(scu->echo(), 0x0000);
  const auto stored = scu->store(data_set);
  EXPECT_EQ(stored.status, 0xa700);
  EXPECT_NE(stored.comment.find("locked"), std::string::npos);
  DcmDataset keys;
  put(keys, DCM_PatientName, "");
  EXPECT_EQ(scu->find(keys).status, 0xa700);
  EXPECT_EQ(scu->echo(), 0x0000);

  unlock();
  EXPECT_EQ(scu->store(data_set).status, 0x0000);
}

TEST_F(DicomServerTest, NoDiskSpaceIsOutOfResourcesAndTheAssociationLives) {
  unlock(std::uint64_t{1} << 60);
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1, 200'000);
  auto scu = connect();
  EXPECT_FALSE(server_->report()["out_of_space"].boolean());
  EXPECT_EQ(scu->store(data_set).status, 0xa700);
  EXPECT_TRUE(server_->report()["out_of_space"].boolean());
  EXPECT_EQ(scu->echo(), 0x0000);
  EXPECT_EQ(instances(), 0);
}

TEST_F(DicomServerTest, RefusesADataSetThatIsNotWhatItsCommandSays) {
  unlock();
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1);
  auto scu = connect();
  const auto mismatch = scu->store(data_set, "1.2.826.0.1.3680043.10.9");
  EXPECT_EQ(mismatch.status, 0xa900);
  EXPECT_EQ(mismatch.comment, "SOP Instance UID of data set and command differ");
  delete data_set.remove(DCM_StudyInstanceUID);
  EXPECT_EQ(scu->store(data_set).status, 0xc000);
  EXPECT_EQ(instances(), 0);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(DicomServerTest, CalledByAnotherNameItRejects) {
  serve();
  T_ASC_RejectParametersReason reason{};
  EXPECT_FALSE(Scu::connect(server_->port(), "OTHER", &reason));
  EXPECT_EQ(reason, ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED);
  EXPECT_TRUE(Scu::connect(server_->port(), " GW "));
}

TEST_F(DicomServerTest, BeyondItsLimitItRejectsForNow) {
  options_.associations_max = 2;
  serve();
  auto first = connect();
  auto second = connect();
  T_ASC_RejectParametersReason reason{};
  EXPECT_FALSE(Scu::connect(server_->port(), "GW", &reason));
  EXPECT_EQ(reason, ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED);
  first->release();
  EXPECT_TRUE(eventually([&] { return Scu::connect(server_->port(), "GW") != nullptr; }));
  EXPECT_EQ(second->echo(), 0x0000);
}

TEST_F(DicomServerTest, ACrowdBeyondItsLimitIsSaidOnceInTheLog) {
  options_.associations_max = 2;
  testing::internal::CaptureStderr();
  serve();
  std::vector<int> sockets;
  for (std::uint8_t i = 0; i < 14; ++i)
    sockets.push_back(connect_raw(server_->port(), i % 2 == 0 ? 2 : 3));
  // The last of those who came is hung up on.
  EXPECT_TRUE(is_hung_up_on(sockets.back()));
  for (const int socket : sockets) ::close(socket);
  server_->stop();
  const std::string said = testing::internal::GetCapturedStderr();
  const auto line = said.find("10 connections are open; see dicom.max_associations");
  ASSERT_NE(line, std::string::npos) << said;
  EXPECT_EQ(said.find("connections are open", line + 20), std::string::npos) << said;
}

TEST_F(DicomServerTest, SilentConnectionsOfOneAddressKeepNobodyElseOut) {
  serve();
  std::vector<int> sockets;
  for (int i = 0; i < 40; ++i) sockets.push_back(connect_raw(server_->port(), 2));
  std::vector<std::unique_ptr<Scu>> callers;
  for (std::size_t i = 0; i < options_.associations_max; ++i) {
    callers.push_back(connect());
    ASSERT_TRUE(callers.back());
    EXPECT_EQ(callers.back()->echo(), 0x0000);
  }
  // Those that gave way are the oldest.
  EXPECT_TRUE(is_hung_up_on(sockets.front()));
  for (const int socket : sockets) ::close(socket);
}

TEST_F(DicomServerTest, ServesAssociationsSideBySide) {
  unlock();
  serve();
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 2; ++sender) {
    senders.emplace_back([this, sender] {
      auto scu = Scu::connect(server_->port(), "GW");
      ASSERT_TRUE(scu);
      for (int i = 0; i < 20; ++i) {
        DcmDataset data_set;
        fill_ct(data_set, 100 * sender + i, 50'000);
        EXPECT_EQ(scu->store(data_set).status, 0x0000);
      }
      scu->release();
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_EQ(instances(), 40);
}

TEST_F(DicomServerTest, TheSameInstanceFromTwoAssociationsIsHeldOnce) {
  unlock();
  serve();
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 4; ++sender) {
    senders.emplace_back([this] {
      auto scu = Scu::connect(server_->port(), "GW");
      ASSERT_TRUE(scu);
      for (int i = 0; i < 10; ++i) {
        DcmDataset data_set;
        fill_ct(data_set, i, 20'000);
        EXPECT_EQ(scu->store(data_set).status, 0x0000);
      }
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_EQ(instances(), 10);
}

TEST_F(DicomServerTest, APeerThatLeavesInTheMiddleLeavesNothing) {
  unlock();
  serve();
  DcmDataset data_set;
  fill_ct(data_set, 1, 4'000);
  connect()->break_off_store(data_set);
  EXPECT_TRUE(eventually([&] { return counted("associations_open") == 0; }));
  EXPECT_EQ(instances(), 0);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(DicomServerTest, GarbageIsHungUpOnAndOthersAreServed) {
  serve();
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"), std::string(100'000, '\xff'),
        std::string(64, '\0'), std::string("\x01\x00\xff\xff\xff\xff", 6) + std::string(100, 'x'),
        std::string("\x01\x00\x00\x00\x00\x50", 6) + std::string(80, 'x'),
        std::string("\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00", 10)}) {
    const int socket = connect_raw();
    (void)::send(socket, garbage.data(), garbage.size(), MSG_NOSIGNAL);
    EXPECT_TRUE(is_hung_up_on(socket));
    ::close(socket);
  }
  EXPECT_EQ(connect()->echo(), 0x0000);
}

TEST_F(DicomServerTest, StallingPeersAreDropped) {
  options_.stall_timeout = core::Milliseconds(200);
  options_.idle_timeout = core::Milliseconds(300);
  serve();
  const int silent = connect_raw();
  EXPECT_TRUE(is_hung_up_on(silent));
  ::close(silent);
  const int halting = connect_raw();
  (void)::send(halting, "\x01\x00\x00\x00\x01\x00half", 10, MSG_NOSIGNAL);
  EXPECT_TRUE(is_hung_up_on(halting));
  ::close(halting);
  auto idle = connect();
  EXPECT_TRUE(eventually([&] { return counted("associations_open") == 0; }));
}

TEST_F(DicomServerTest, StopEndsAssociationsThatAreOpen) {
  unlock();
  serve();
  auto idle = connect();
  EXPECT_EQ(idle->echo(), 0x0000);
  server_->stop();
  EXPECT_NE(idle->echo(), 0x0000);
  EXPECT_EQ(server_->report()["state"].text(), "stopped");
  ASSERT_TRUE(server_->start().ok());
  EXPECT_EQ(connect()->echo(), 0x0000);
}

TEST_F(DicomServerTest, APortInUseIsOneClearSentenceAndCanBeRetried) {
  serve();
  DicomOptions same = options_;
  same.port = server_->port();
  auto second = DicomServer::create(same, door_, core::system_clock());
  const auto started = second->start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().message(),
            core::cat("dicom.port ", same.port,
                      " on 127.0.0.1 is in use by another program; stop it or set another port"));
  EXPECT_EQ(second->report()["state"].text(), "failed");
  server_->stop();
  EXPECT_TRUE(second->start().ok());
  EXPECT_EQ(second->report()["state"].text(), "running");
  EXPECT_TRUE(second->turns().has_value());
}

class WorklistServerTest : public DicomServerTest {
 protected:
  void order(int number, const std::string& family) {
    const std::string text_number = std::to_string(number);
    const Json patient = Json::object(
        {{"resourceType", "Patient"},
         {"id", "p" + text_number},
         {"identifier", Json::array({Json::object(
                            {{"system", "urn:oid:2.25.1"}, {"value", "P" + text_number}})})},
         {"name",
          Json::array({Json::object({{"family", family}, {"given", Json::array({"Ana"})}})})}});
    const Json request =
        Json::object({{"resourceType", "ServiceRequest"},
                      {"id", "r" + text_number},
                      {"status", "active"},
                      {"intent", "order"},
                      {"code", Json::object({{"text", "Chest X-ray"}})},
                      {"subject", Json::object({{"reference", "Patient/p" + text_number}})},
                      {"occurrenceDateTime", "2026-03-05T09:30:00Z"}});
    const auto written = door_.get()->database().write([&](crypto::Connection& connection)
                                                           -> core::Status {
      const std::string now = "2026-03-01T08:00:00.000Z";
      GW_CHECK(sync::put_resource(connection, {"Patient", "p" + text_number}, patient, "his", now));
      GW_CHECK(sync::put_resource(connection, {"ServiceRequest", "r" + text_number}, request, "his",
                                  now));
      return sync::refresh_worklist(connection, "r" + text_number, {});
    });
    ASSERT_TRUE(written.ok()) << written.error().message();
  }
};

TEST_F(WorklistServerTest, AnswersMatchesWithTheKeysAskedFor) {
  unlock();
  order(1, "García");
  order(2, "Smith");
  serve();
  DcmDataset keys;
  put(keys, DCM_PatientName, "GARCIA*");
  put(keys, DCM_StudyInstanceUID, "");
  auto scu = connect();
  const auto found = scu->find(keys);
  EXPECT_EQ(found.status, 0x0000);
  ASSERT_EQ(found.identifiers.size(), 1u);
  EXPECT_EQ(found.pending[0], 0xff00);
  OFString name;
  OFString study;
  EXPECT_TRUE(found.identifiers[0]->findAndGetOFString(DCM_PatientName, name).good());
  EXPECT_STREQ(name.c_str(), "García^Ana");
  EXPECT_TRUE(found.identifiers[0]->findAndGetOFString(DCM_StudyInstanceUID, study).good());
  EXPECT_FALSE(study.empty());

  put(keys, DCM_PatientComments, "");
  EXPECT_EQ(scu->find(keys).pending.at(0), 0xff01);
}

TEST_F(WorklistServerTest, WhoWasShownWhatIsInTheAuditTrailOnceAnHour) {
  unlock();
  order(1, "García");
  serve();
  auto scu = connect();
  const auto ask = [&] {
    DcmDataset keys;
    put(keys, DCM_PatientName, "");
    return scu->find(keys).identifiers.size();
  };
  const auto rows = [&] {
    const auto found = door_.get()->database().read_value<std::vector<std::string>>(
        [](crypto::Connection& connection) -> core::Result<std::vector<std::string>> {
          GW_TRY(auto query, connection.query("SELECT actor, resource FROM audit WHERE action ="
                                              " 'query' ORDER BY seq"));
          std::vector<std::string> all;
          while (true) {
            GW_TRY(const bool more, query.next());
            if (!more) return all;
            all.push_back(core::cat(query.text(0), ' ', query.text(1)));
          }
        });
    return found.ok() ? found.value() : std::vector<std::string>{found.error().message()};
  };
  EXPECT_EQ(ask(), 1u);
  EXPECT_EQ(ask(), 1u) << "the same again, as a modality does every minute";
  order(2, "Smith");
  EXPECT_EQ(ask(), 2u);
  EXPECT_TRUE(eventually([&] { return rows().size() == 2; }));
  EXPECT_THAT(rows(), ::testing::ElementsAre("ae:TEST_SCU worklist/1 matches",
                                             "ae:TEST_SCU worklist/2 matches"));
}

// A query of 256 KB that DCMTK would read by one call within another for each level.
TEST_F(DicomServerTest, SequencesNestedDeepEndNeitherTheDaemonNorTheAssociation) {
  unlock();
  serve();
  auto scu = connect();
  const auto status = scu->find_encoded(deep_data_set(13'000, Encoding::explicit_little));
  EXPECT_GE(status, 0xa700);
  EXPECT_LT(status, 0xfe00);
  EXPECT_EQ(scu->echo(), 0x0000);
}

TEST_F(DicomServerTest, ACommandSetNestedDeepIsHungUpOn) {
  serve();
  EXPECT_FALSE(connect()->command_encoded(deep_data_set(60'000, Encoding::implicit_little)));
  EXPECT_EQ(connect()->echo(), 0x0000);
}

TEST_F(WorklistServerTest, ACancelEndsTheAnswers) {
  unlock();
  constexpr int kOrders = 1'000;
  // More than buffers hold: the server must still be sending when the cancel comes.
  const std::string family(64, 'D');
  for (int i = 0; i < kOrders; ++i) order(i, family);
  serve();
  DcmDataset keys;
  for (const DcmTagKey& tag : {DCM_PatientName, DCM_PatientID, DCM_StudyInstanceUID,
                               DCM_AccessionNumber, DCM_ReferringPhysicianName})
    put(keys, tag, "");
  EXPECT_TRUE(keys.insertEmptyElement(DCM_ScheduledProcedureStepSequence).good());
  ASSERT_EQ(::setenv("TCP_BUFFER_LENGTH", "4096", 1), 0);  // read by DCMTK
  auto scu = connect();
  ::unsetenv("TCP_BUFFER_LENGTH");
  const auto found = scu->find(keys, 1);
  EXPECT_EQ(found.status, 0xfe00);
  EXPECT_LT(found.identifiers.size(), static_cast<std::size_t>(kOrders));
  EXPECT_EQ(scu->echo(), 0x0000);
}

DcmDataset step_attributes(const std::string& status) {
  DcmDataset attributes;
  put(attributes, DCM_PerformedProcedureStepStatus, status);
  put(attributes, DCM_PatientID, "P1");
  return attributes;
}

TEST_F(DicomServerTest, RecordsPerformedProcedureSteps) {
  unlock();
  serve();
  auto scu = connect();
  DcmDataset begun = step_attributes("IN PROGRESS");
  DcmDataset done = step_attributes("COMPLETED");
  const auto created = scu->create_step(begun, "1.2.3.4");
  EXPECT_EQ(created.status, 0x0000);
  EXPECT_EQ(created.uid, "1.2.3.4");
  EXPECT_EQ(count("SELECT count(*) FROM performed_step WHERE state = 'IN PROGRESS'"), 1);
  EXPECT_EQ(scu->set_step(done, "1.2.3.4").status, 0x0000);
  EXPECT_EQ(count("SELECT count(*) FROM performed_step WHERE state = 'COMPLETED'"), 1);
  const auto late = scu->set_step(done, "1.2.3.4");
  EXPECT_EQ(late.status, 0x0110);
  EXPECT_EQ(late.error_id, 0xa506);
  EXPECT_EQ(scu->set_step(done, "1.2.3.5").status, 0x0112);
  DcmDataset nonsense = step_attributes("DONE");
  EXPECT_EQ(scu->create_step(nonsense, "1.2.3.6").status, 0x0106);
  EXPECT_EQ(counted("steps"), 2);
  EXPECT_EQ(scu->echo(), 0x0000);
}

TEST_F(DicomServerTest, NamesAStepItsModalityDidNotName) {
  unlock();
  serve();
  DcmDataset begun = step_attributes("IN PROGRESS");
  const auto created = connect()->create_step(begun, "");
  EXPECT_EQ(created.status, 0x0000);
  EXPECT_TRUE(created.uid.starts_with("2.25."));
  EXPECT_EQ(count("SELECT count(*) FROM performed_step WHERE remarks LIKE '%named by%'"), 1);
}

TEST_F(DicomServerTest, RefusesStepsWhileLocked) {
  serve();
  auto scu = connect();
  DcmDataset begun = step_attributes("IN PROGRESS");
  EXPECT_EQ(scu->create_step(begun, "1.2.3.4").status, 0x0110);
  EXPECT_EQ(scu->echo(), 0x0000);
}

/// A modality whose port is open and that says nothing.
class SilentModality {
 public:
  SilentModality() {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&here), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size), 0);
    port_ = ::ntohs(here.sin_port);
  }
  ~SilentModality() { ::close(socket_); }
  std::uint16_t port() const { return port_; }
  bool is_called() const {
    pollfd poll{socket_, POLLIN, 0};
    return ::poll(&poll, 1, 0) == 1;
  }

 private:
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

class ReportedTest : public DicomServerTest {
 protected:
  /// A request that `title` is to be told of.
  void ask_as(const std::string& title) {
    const sync::CommitmentRequest request{"2.25.1", title, "GW", "127.0.0.1", {{"1.2", "1.2.3.1"}}};
    const auto decided = [&](crypto::Connection& connection) -> core::Status {
      GW_CHECK(sync::record_commitment(connection, request, "2026-03-01T08:00:00.000Z"));
      const auto never_comes = [](std::int64_t) { return false; };
      const auto ready =
          sync::decide_commitments(connection, sync::CommitmentRule::second_copy, never_comes);
      return ready.ok() ? core::Status() : core::Status(ready.error());
    };
    ASSERT_TRUE(door_.get()->database().write(decided).ok());
  }
};

TEST_F(ReportedTest, AModalityIsCalledAsThePatternThatFitsItSays) {
  const SilentModality modality;
  options_.peers = {{"CT*", "127.0.0.1", modality.port()}};
  unlock();
  ask_as("CT1");
  serve();
  EXPECT_TRUE(eventually([&] { return modality.is_called(); }));
}

TEST_F(ReportedTest, WhoseSettingsWereLeftOutIsNotCalledInTheClear) {
  const SilentModality modality;
  options_.peers = {{"CT2", "127.0.0.1", modality.port()}};
  options_.left_out_titles = {"CT1"};
  unlock();
  ask_as("CT1");
  ask_as("CT2");
  testing::internal::CaptureStderr();
  serve();
  // They are told in the order they asked.
  EXPECT_TRUE(eventually([&] { return modality.is_called(); }));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("its [dicom.peer.NAME] was left out"), std::string::npos) << log;
}

TEST_F(ReportedTest, StopsAtOnceWhileAModalityKeepsItsReportWaiting) {
  const SilentModality modality;
  options_.peers = {{"CT1", "127.0.0.1", modality.port()}};
  unlock();
  ask_as("CT1");
  serve();
  ASSERT_TRUE(eventually([&] { return modality.is_called(); }));
  auto stopped = std::async(std::launch::async, [&] { server_->stop(); });
  EXPECT_TRUE(eventually(
      [&] { return stopped.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  stopped.wait();
  EXPECT_EQ(count("SELECT count(*) FROM commitment WHERE state = 'decided'"), 1);
}

}  // namespace
}  // namespace gateway::adapters::dicom
