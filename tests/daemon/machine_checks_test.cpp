#include "daemon/ops/machine_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/text.h"
#include "daemon/settings.h"
#include "tests/daemon/port_holder.h"
#include "tests/fakes/certificates.h"

namespace gateway::daemon {
namespace {

using core::cat;
using ::testing::HasSubstr;

core::Config config_with(const std::string& text) {
  auto config =
      core::Config::parse(cat("[site]\nname = \"a\"\n", text), "gateway.toml", all_config_keys());
  EXPECT_TRUE(config.ok()) << config.error().message();
  return *config;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Certificates : public ::testing::Test {
 protected:
  std::vector<Finding> examine(const fakes::CertificateFiles& shown, const std::string& key) {
    return examine_certificates(
        config_with(cat("[console]\nport = 443\ncertificate_file = \"", shown.certificate,
                        "\"\nkey_file = \"", key, "\"\n")),
        core::system_clock().wall());
  }

  fakes::TestFolder folder_;
  fakes::TestCa ca_{folder_, "ca"};
};

TEST_F(Certificates, OfOursAreGoodForWeeksAndFitTheirKeys) {
  const auto shown = ca_.issue({.name = "good", .days_until = 60});
  const auto findings = examine(shown, shown.key);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].verdict, Verdict::ok) << findings[0].detail;
}

TEST_F(Certificates, ThatEndSoonOrHaveEndedAreNamedWithTheirDays) {
  const auto soon = ca_.issue({.name = "soon", .days_until = 5});
  auto findings = examine(soon, soon.key);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].check, "certificate console.certificate_file");
  EXPECT_EQ(findings[0].verdict, Verdict::warn);
  EXPECT_THAT(findings[0].detail, ::testing::ContainsRegex("in [45] days"));
  const auto ended = ca_.issue({.name = "ended", .days_from = -9, .days_until = -2});
  findings = examine(ended, ended.key);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].verdict, Verdict::fail);
  EXPECT_THAT(findings[0].detail, HasSubstr("it ended on"));
}

TEST_F(Certificates, ThatDoNotFitTheirKeysAreFound) {
  const auto one = ca_.issue({.name = "one", .days_until = 60});
  const auto other = ca_.issue({.name = "other", .days_until = 60});
  const auto findings = examine(one, other.key);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].verdict, Verdict::fail);
  EXPECT_THAT(findings[0].detail, HasSubstr(other.key));
}

TEST(Ports, OfEveryListenerAreLookedAt) {
  const std::uint16_t dicom = free_port();
  const std::uint16_t lab = free_port();
  const auto config = config_with(
      cat("[dicom]\nbind = \"127.0.0.1\"\nport = ", dicom,
          "\n[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ", lab,
          "\n[device.called]\nprotocol = \"astm\"\nhost = \"192.0.2.1\"\nport = 4000\n"));
  auto findings = examine_ports(config, DaemonSeen::absent);
  ASSERT_EQ(findings.size(), 2u) << "a device that is called has its own port";
  EXPECT_EQ(findings[0].check, "dicom port");
  EXPECT_EQ(findings[1].check, "device lab port");
  EXPECT_EQ(findings[1].verdict, Verdict::ok);
  const PortHolder somebody(lab);
  findings = examine_ports(config, DaemonSeen::absent);
  EXPECT_EQ(findings[1].verdict, Verdict::fail);
  EXPECT_THAT(findings[1].detail, HasSubstr("is used by another program"));
  findings = examine_ports(config, DaemonSeen::running);
  EXPECT_EQ(findings[0].verdict, Verdict::fail) << "nobody listens there";
  EXPECT_EQ(findings[1].verdict, Verdict::ok);
}

TEST(Tpm, MissesOnlyWhereASlotIsSealedToIt) {
  const fakes::TestFolder folder;
  const std::string device = folder.path("tpmrm0");
  EXPECT_EQ(examine_tpm(false, device).verdict, Verdict::ok);
  EXPECT_EQ(examine_tpm(true, device).verdict, Verdict::fail);
  std::ofstream(device) << "a device";
  EXPECT_EQ(examine_tpm(true, device).verdict, Verdict::ok);
}

}  // namespace
}  // namespace gateway::daemon
