// docs/dicom-conformance.md says what the code negotiates: both ways, where a machine can tell.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/identity.h"
#include "adapters/dicom/negotiation.h"
#include "core/files.h"

namespace gateway::adapters::dicom {
namespace {

class Conformance : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto page = core::read_whole_file(
        core::system_files(), std::string(GATEWAY_SOURCE_DIR) + "/docs/dicom-conformance.md",
        1 << 20);
    ASSERT_TRUE(page.ok()) << page.error().message();
    page_ = *page;
  }
  // From the heading to the next of its rank or above.
  std::string section(const std::string& heading) const {
    const std::size_t begin = page_.find("\n" + heading + "\n");
    EXPECT_NE(begin, std::string::npos) << heading;
    if (begin == std::string::npos) return {};
    const std::string next = "\n" + heading.substr(0, heading.find(' ') + 1);
    return page_.substr(begin, page_.find(next, begin + heading.size()) - begin);
  }
  static std::set<std::string> all(const std::string& text, const char* pattern) {
    const std::regex expression(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
      found.insert((*at)[1]);
    return found;
  }
  bool says(const std::string& text) const { return page_.find(text) != std::string::npos; }

  std::string page_;
};

TEST_F(Conformance, ListsTheOfferedClassesAndNoOther) {
  std::set<std::string> offered;
  for (const OfferedClass& one : offered_classes()) offered.insert(one.uid);
  EXPECT_EQ(all(section("## Overview"), R"(\| (1\.2\.840\.10008\.[0-9.]+) \|)"), offered);
}

TEST_F(Conformance, ListsTheTransferSyntaxesOfStorage) {
  const std::string table = section("### Storage transfer syntaxes");
  const auto listed = all(table, R"(\| (1\.2\.840\.10008\.[0-9.]+) \|)");
  const auto newer = all(table, R"(\| (1\.2\.840\.10008\.[0-9.]+) \| DCMTK 3\.6\.9)");
  for (const std::string& uid : listed) {
    EXPECT_TRUE(newer.contains(uid) || can_carry(uid)) << uid;
  }
  for (int syntax = EXS_LittleEndianImplicit; syntax < 100; ++syntax) {
    const char* uid = DcmXfer(static_cast<E_TransferSyntax>(syntax)).getXferID();
    if (uid == nullptr || *uid == 0 || !can_carry(uid)) continue;
    EXPECT_TRUE(listed.contains(uid)) << uid << " " << dcmFindNameOfUID(uid, "");
  }
}

TEST_F(Conformance, NamesOnlySettingsThatThereAre) {
  std::set<std::string> keys;
  for (const core::ConfigKey& key : dicom_config_keys()) keys.insert(key.path);
  for (const std::string& named : all(page_, "`(dicom\\.[a-z_.*]+)"))
    EXPECT_TRUE(keys.contains(named)) << named;
}

TEST_F(Conformance, NamesTheImplementationAndTheLimits) {
  EXPECT_TRUE(says(kImplementationClassUid));
  EXPECT_TRUE(says(kImplementationVersionName));
  const DicomOptions defaults;
  EXPECT_EQ(defaults.pdu_bytes_max, 131'072u);
  EXPECT_TRUE(says("131,072"));
  EXPECT_TRUE(says("(default " + std::to_string(defaults.port) + ")"));
  EXPECT_TRUE(says("(default " + std::to_string(defaults.tls_port) + ")"));
}

}  // namespace
}  // namespace gateway::adapters::dicom
