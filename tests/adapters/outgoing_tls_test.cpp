// Associations the gateway opens itself, over TLS: C-MOVE to DCMTK's storescp.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>

#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"
#include "tests/fakes/certificates.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace gateway::adapters::dicom {
namespace {

using core::cat;
namespace fs = std::filesystem;

class OutgoingTlsTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    fs::create_directory(folder_ + "/got");
    DcmFileFormat file;
    fill_ct(*file.getDataset(), 1, 400'000);
    ASSERT_TRUE(file.saveFile((folder_ + "/1.dcm").c_str(), EXS_LittleEndianExplicit).good());
    viewer_.host = "127.0.0.1";
    viewer_.port = free_port();
  }
  void TearDown() override {
    if (storescp_ > 0) {
      ::kill(storescp_, SIGTERM);
      ::waitpid(storescp_, nullptr, 0);
    }
    DicomServerTest::TearDown();
  }

  /// It shows `identity` and wants a certificate of `ca`.
  void begin_viewer(const fakes::CertificateFiles& identity, const fakes::TestCa& ca) {
    std::vector<std::string> words = {
        "storescp", "+tls", identity.key,     identity.certificate,        "+cf",
        ca.file(),  "-od",  folder_ + "/got", std::to_string(viewer_.port)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ASSERT_EQ(::posix_spawnp(&storescp_, "storescp", nullptr, nullptr, arguments.data(), environ),
              0);
    ASSERT_TRUE(eventually([this] {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(viewer_.port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const bool listens =
          ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(socket);
      return listens;
    }));
  }
  void serve_with_an_image() {
    options_.peers = {viewer_};
    unlock();
    serve();
    const Ran sent = run("storescu", folder_ + "/1.dcm");
    ASSERT_EQ(sent.status, 0) << sent.output;
  }
  Ran move() {
    return run("movescu", cat("-v -S -aet ANY -aem VIEWER -k QueryRetrieveLevel=STUDY"
                              " -k StudyInstanceUID=1.2.826.0.1.3680043.10.1"));
  }
  std::size_t got() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_ + "/got"), fs::directory_iterator()));
  }
  /// What a C-MOVE that comes to nothing leaves in the log.
  std::string failing_move() {
    testing::internal::CaptureStderr();
    const Ran moved = move();
    EXPECT_NE(moved.output.find("OutOfResourcesSubOperations"), std::string::npos) << moved.output;
    EXPECT_EQ(got(), 0u);
    return testing::internal::GetCapturedStderr();
  }

  DicomPeer viewer_{"VIEWER"};
  fakes::TestFolder files_;
  fakes::TestCa ca_{files_, "ca"};
  pid_t storescp_ = -1;
};

TEST_F(OutgoingTlsTest, BothShowTheirCertificates) {
  const auto ours = ca_.issue({.name = "gateway"});
  begin_viewer(ca_.issue({.name = "viewer", .addresses = {"127.0.0.1"}}), ca_);
  viewer_.tls = PeerTls{ca_.file(), ours.certificate, ours.key};
  serve_with_an_image();
  const Ran moved = move();
  EXPECT_EQ(moved.status, 0) << moved.output;
  EXPECT_EQ(got(), 1u);
}

TEST_F(OutgoingTlsTest, APeerWithAnotherCertificateGetsNothing) {
  const auto ours = ca_.issue({.name = "gateway"});
  const fakes::TestCa other(files_, "other");
  begin_viewer(other.issue({.name = "viewer", .addresses = {"127.0.0.1"}}), ca_);
  viewer_.tls = PeerTls{ca_.file(), ours.certificate, ours.key};
  serve_with_an_image();
  const std::string log = failing_move();
  EXPECT_NE(log.find("no TLS: the server's certificate"), std::string::npos) << log;
}

TEST_F(OutgoingTlsTest, ACertificateForAnotherHostCountsForNothing) {
  const auto ours = ca_.issue({.name = "gateway"});
  begin_viewer(ca_.issue({.name = "viewer", .addresses = {"192.0.2.7"}}), ca_);
  viewer_.tls = PeerTls{ca_.file(), ours.certificate, ours.key};
  serve_with_an_image();
  const std::string log = failing_move();
  EXPECT_NE(log.find("no TLS: "), std::string::npos) << log;
  EXPECT_NE(log.find("192.0.2.7"), std::string::npos) << log;
}

TEST_F(OutgoingTlsTest, APeerThatWantsACertificateGetsNothingWithoutOne) {
  begin_viewer(ca_.issue({.name = "viewer", .addresses = {"127.0.0.1"}}), ca_);
  viewer_.tls = PeerTls{ca_.file(), "", ""};
  serve_with_an_image();
  // With TLS 1.3 it hangs up on us behind the handshake; whether its reason is heard first is luck.
  const std::string log = failing_move();
  EXPECT_NE(log.find("VIEWER at 127.0.0.1 port"), std::string::npos) << log;
}

TEST_F(OutgoingTlsTest, APeerWithoutTlsGetsNothingWhereItsSettingsSayTls) {
  viewer_.tls = PeerTls{ca_.file(), "", ""};
  // It answers, but speaks plain DICOM: the gateway itself.
  unlock();
  serve();
  const Ran sent = run("storescu", folder_ + "/1.dcm");
  ASSERT_EQ(sent.status, 0) << sent.output;
  const std::uint16_t plain = server_->port();
  server_->stop();
  options_.port = plain;
  viewer_.port = plain;
  options_.peers = {viewer_};
  serve();
  const std::string log = failing_move();
  EXPECT_NE(log.find("no TLS: "), std::string::npos) << log;
}

}  // namespace
}  // namespace gateway::adapters::dicom
