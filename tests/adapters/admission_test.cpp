// Who may call the gateway by DICOM, and how: peers of the settings, learned callers, TLS.
#include "adapters/dicom/admission.h"

#include <gtest/gtest.h>

#include "adapters/dicom/address_range.h"
#include "sync/dicom_callers.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"
#include "tests/fakes/certificates.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

bool contains(const char* range, const char* address) {
  const auto parsed = AddressRange::parse(range);
  EXPECT_TRUE(parsed.ok()) << range;
  return parsed.ok() && parsed->contains(address);
}

TEST(AddressRange, HoldsWhatItsBitsSay) {
  EXPECT_TRUE(contains("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(contains("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(contains("10.1.0.0/16", "10.1.255.9"));
  EXPECT_FALSE(contains("10.1.0.0/16", "10.2.0.1"));
  EXPECT_TRUE(contains("10.1.128.0/17", "10.1.129.1"));
  EXPECT_FALSE(contains("10.1.128.0/17", "10.1.1.1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.7"));
  EXPECT_FALSE(contains("0.0.0.0/0", "fd00::1"));
  EXPECT_TRUE(contains("10.1.0.0/16", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("fd00::/8", "fd12::1%eth0"));
  EXPECT_FALSE(contains("fd00::/8", "10.1.2.3"));
  EXPECT_FALSE(contains("10.1.0.0/16", "unknown"));
  for (const char* wrong : {"", "10.1", "10.1.0.0/33", "10.1.0.0/", "10.1.0.0/x", "ct.example"}) {
    EXPECT_FALSE(AddressRange::parse(wrong).ok()) << wrong;
  }
}

class AdmissionTest : public DicomServerTest {
 protected:
  Ran echo(const std::string& calling, const std::string& more = "") {
    return run("echoscu", cat("-aet ", calling, " ", more));
  }
  static bool is_refused(const Ran& ran, const std::string& reason) {
    return ran.status != 0 && ran.output.find(reason) != std::string::npos;
  }
};

TEST_F(AdmissionTest, OnlyListedPeersMayCallAndOnlyForWhatTheyMay) {
  options_.strangers = Strangers::refused;
  DicomPeer modality{"CT*"};
  modality.rights = {true, false, false};
  DicomPeer elsewhere{"MR1"};
  elsewhere.addresses = {*AddressRange::parse("192.0.2.0/24")};
  options_.peers = {modality, elsewhere};
  unlock();
  serve();
  EXPECT_EQ(echo("CT7").status, 0);
  EXPECT_TRUE(is_refused(echo("US1"), "Calling AE Title Not Recognized")) << echo("US1").output;
  EXPECT_TRUE(is_refused(echo("MR1"), "Calling AE Title Not Recognized"));
  EXPECT_NE(run("findscu", "-aet CT7 -W -k 0010,0010=").status, 0);
  DcmFileFormat file;
  fill_ct(*file.getDataset(), 1);
  const std::string path = folder_ + "/1.dcm";
  ASSERT_TRUE(file.saveFile(path.c_str(), EXS_LittleEndianExplicit).good());
  EXPECT_EQ(run("storescu", cat("-aet CT7 ", path)).status, 0);
  EXPECT_NE(run("storescu", cat("-aet US1 ", path)).status, 0);
  EXPECT_EQ(instances(), 1);
  EXPECT_EQ(counted("strangers"), 3);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_caller"), 0);
}

TEST_F(AdmissionTest, ALearningGatewayRecordsStrangersUntilAPersonApproves) {
  options_.strangers = Strangers::recorded;
  unlock();
  serve();
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(is_refused(echo("NEW1"), "Calling AE Title Not Recognized"));
  EXPECT_TRUE(is_refused(echo("NEW2"), "Calling AE Title Not Recognized"));
  EXPECT_EQ(count("SELECT count(*) FROM dicom_caller WHERE state = 'waiting'"), 2);
  const auto approve = [](const char* title, const char* address) {
    return [=](crypto::Connection& connection) -> core::Status {
      GW_TRY(const std::int64_t changed, sync::approve_callers(connection, title, address));
      EXPECT_EQ(changed, 1);
      return {};
    };
  };
  auto& database = door_.get()->database();
  EXPECT_TRUE(database.write(approve("NEW1", "127.0.0.1")).ok());
  EXPECT_EQ(database.write(approve("NEW2", "192.0.2.1")).error().code(), core::Code::not_found);
  EXPECT_EQ(echo("NEW1").status, 0);
  EXPECT_NE(echo("NEW2").status, 0);
  const auto remove = [](crypto::Connection& connection) -> core::Status {
    GW_TRY(const std::int64_t changed, sync::remove_callers(connection, "NEW1", ""));
    EXPECT_EQ(changed, 1);
    return {};
  };
  EXPECT_TRUE(database.write(remove).ok());
  EXPECT_NE(echo("NEW1").status, 0);
}

TEST_F(AdmissionTest, WhatWaitsForApprovalIsBounded) {
  unlock();
  const auto note = [](crypto::Connection& connection) -> core::Status {
    for (int i = 0; i < 300; ++i) {
      const std::string at = cat("2026-03-01T00:", 10 + i / 60, ":", 10 + i % 50, "Z");
      GW_CHECK(sync::note_caller(connection, {cat("AE", i), "192.0.2.1", false, "GW"}, at));
    }
    GW_TRY(const auto first, sync::look_up_caller(connection, {"AE0", "192.0.2.1", false, "GW"}));
    EXPECT_EQ(first.state, sync::CallerState::unknown);
    GW_TRY(const auto last, sync::look_up_caller(connection, {"AE299", "192.0.2.1", false, "GW"}));
    EXPECT_EQ(last.state, sync::CallerState::waiting);
    return {};
  };
  ASSERT_TRUE(door_.get()->database().write(note).ok());
  EXPECT_EQ(count("SELECT count(*) FROM dicom_caller"), sync::kWaitingCallersMax);
}

TEST_F(AdmissionTest, LockedItDoesNotKnowWhoWasApproved) {
  options_.strangers = Strangers::recorded;
  options_.peers = {DicomPeer{"CT1"}};
  serve();
  EXPECT_TRUE(is_refused(echo("NEW1"), "Temporary Congestion")) << echo("NEW1").output;
  EXPECT_EQ(echo("CT1").status, 0);
}

TEST_F(AdmissionTest, APeerHasItsOwnLimit) {
  DicomPeer peer{"*"};
  peer.associations_max = 1;
  options_.peers = {peer};
  serve();
  auto first = connect();
  T_ASC_RejectParametersReason reason{};
  EXPECT_FALSE(Scu::connect(server_->port(), "GW", &reason));
  EXPECT_EQ(reason, ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED);
  first->release();
  EXPECT_TRUE(eventually([&] { return Scu::connect(server_->port(), "GW") != nullptr; }));
}

TEST_F(AdmissionTest, AnswersToSeveralTitles) {
  options_.more_ae_titles = {"OTHER", "CLINIC?"};
  serve();
  EXPECT_TRUE(Scu::connect(server_->port(), "GW"));
  EXPECT_TRUE(Scu::connect(server_->port(), "OTHER"));
  EXPECT_TRUE(Scu::connect(server_->port(), "CLINIC9"));
  EXPECT_FALSE(Scu::connect(server_->port(), "CLINIC"));
}

class AdmissionOverTls : public AdmissionTest {
 protected:
  void SetUp() override {
    AdmissionTest::SetUp();
    const auto server = ca_.issue({.name = "gateway", .dns_names = {"localhost"}});
    options_.tls = {server.certificate, server.key, ""};
    options_.tls_port = 0;
  }
  Ran run_tls(const std::string& tool, const std::string& identity, const std::string& arguments) {
    return run_command(cat(tool, " ", identity, " +cf ", ca_.file(), " -aec GW localhost ",
                           server_->tls_port(), " ", arguments, " 2>&1"));
  }
  std::string identity_of(fakes::TestCa& ca, const std::string& name) {
    const auto files = ca.issue({.name = name});
    return cat("+tls ", files.key, " ", files.certificate);
  }

  fakes::TestFolder files_;
  fakes::TestCa ca_{files_, "ca"};
};

TEST_F(AdmissionOverTls, PlainIsForPeersListedSo) {
  DicomPeer old{"OLD*"};
  old.is_plain_allowed = true;
  options_.peers = {old, DicomPeer{"NEW"}};
  unlock();
  serve();
  EXPECT_EQ(run_tls("echoscu", "+tla", "-aet ANY").status, 0)
      << run_tls("echoscu", "-v +tla", "-aet ANY").output;
  EXPECT_EQ(run_tls("echoscu", "+tla", "-aet OLD1").status, 0);
  EXPECT_EQ(echo("OLD1").status, 0);
  EXPECT_TRUE(is_refused(echo("NEW"), "Rejected Permanent"));
  EXPECT_TRUE(is_refused(echo("ANY"), "Rejected Permanent"));
}

TEST_F(AdmissionOverTls, StoresOverTlsWhatWasSent) {
  unlock();
  serve();
  for (int i = 1; i <= 3; ++i) {
    DcmFileFormat file;
    fill_ct(*file.getDataset(), i, 3'000'000);
    ASSERT_TRUE(
        file.saveFile(cat(folder_, "/", i, ".dcm").c_str(), EXS_LittleEndianExplicit).good());
  }
  for (const char* profile : {"+py", "+px", "+pz"}) {
    const Ran stored = run_tls("storescu", cat("+tla ", profile),
                               cat(folder_, "/1.dcm ", folder_, "/2.dcm ", folder_, "/3.dcm"));
    EXPECT_EQ(stored.status, 0) << profile << stored.output;
  }
  EXPECT_EQ(instances(), 3);
  EXPECT_EQ(counted("stored"), 3);
  EXPECT_EQ(counted("repeated"), 6);
}

TEST_F(AdmissionOverTls, AsksForACertificateOfItsAuthority) {
  options_.tls.client_ca_file = ca_.file();
  serve();
  fakes::TestCa other(files_, "other");
  EXPECT_EQ(run_tls("echoscu", identity_of(ca_, "ct1"), "").status, 0);
  EXPECT_NE(run_tls("echoscu", "+tla", "").status, 0);
  EXPECT_NE(run_tls("echoscu", identity_of(other, "ct2"), "").status, 0);
  // In TLS 1.3 the peer may be gone before the gateway has seen its certificate.
  EXPECT_TRUE(eventually([this] { return counted("rejected") == 2; }));
}

TEST_F(AdmissionOverTls, GarbageAndSilenceInPlaceOfAHandshakeEndTheConnection) {
  options_.stall_timeout = core::Milliseconds(200);
  serve();
  for (const std::string_view sent : {"GET / HTTP/1.0\r\n\r\n", ""}) {
    const int socket = connect_raw(server_->tls_port());
    EXPECT_EQ(::send(socket, sent.data(), sent.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(sent.size()));
    EXPECT_TRUE(is_hung_up_on(socket));
    ::close(socket);
  }
}

TEST_F(AdmissionOverTls, ACertificateThatCannotBeUsedIsSaidAtTheStart) {
  options_.tls.key_file = ca_.issue({.name = "another"}).key;
  server_ = DicomServer::create(options_, door_, core::system_clock());
  const auto started = server_->start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message().find("cannot be used"), std::string::npos);
}

}  // namespace
}  // namespace gateway::adapters::dicom
