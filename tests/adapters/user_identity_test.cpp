// Who is using a device: asked by the gateway, told by DCMTK's storescu.
#include "adapters/dicom/user_identity.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

class UserIdentityTest : public DicomServerTest {
 protected:
  void SetUp() override {
    DicomServerTest::SetUp();
    write_passcode("correct horse\n");
    options_.users = {{"tech", "technician", folder_ + "/passcode"}, {"viewer", "viewer", ""}};
    DcmFileFormat file;
    fill_ct(*file.getDataset(), 1);
    ASSERT_TRUE(file.saveFile((folder_ + "/1.dcm").c_str(), EXS_LittleEndianExplicit).good());
    unlock();
  }
  void write_passcode(const std::string& text) { std::ofstream(folder_ + "/passcode") << text; }
  /// With -rsp storescu insists on being told that its user was accepted.
  Ran send(const std::string& identity, const std::string& calling = "CT1") {
    return run("storescu", cat("-R -aet ", calling, " ", identity, " ", folder_, "/1.dcm"));
  }
  static bool is_rejected_by_acse(const Ran& ran) {
    return ran.status != 0 &&
           ran.output.find("Result: Rejected Permanent, Source: Service Provider (ACSE Related)") !=
               std::string::npos;
  }
};

TEST_F(UserIdentityTest, AskedForAUserItServesThoseItKnowsAndTellsThem) {
  options_.asked_users = {"tech", "viewer"};
  serve();
  const Ran known = send("-usr technician -pwd \"correct horse\" -rsp");
  EXPECT_EQ(known.status, 0) << known.output;
  EXPECT_EQ(send("-usr technician -pwd \"correct horse\"").status, 0);
  EXPECT_EQ(send("-usr viewer -rsp").status, 0);
  EXPECT_EQ(send("-usr viewer -pwd anything").status, 0);
  EXPECT_EQ(instances(), 1);
  EXPECT_EQ(counted("rejected"), 0);
}

TEST_F(UserIdentityTest, WhoIsNotKnownIsRejectedAsTheStandardSays) {
  options_.asked_users = {"tech"};
  serve();
  for (const char* identity : {"", "-usr technician", "-usr technician -pwd wrong",
                               "-usr technician -epw", "-usr nobody -pwd \"correct horse\"",
                               "-usr viewer", "-usr technician -pwd \"correct horse \""}) {
    const Ran ran = send(identity);
    EXPECT_TRUE(is_rejected_by_acse(ran)) << identity << ": " << ran.output;
  }
  EXPECT_EQ(counted("rejected"), 7);
  EXPECT_EQ(instances(), 0);
}

TEST_F(UserIdentityTest, APeerMayHaveUsersOfItsOwn) {
  options_.asked_users = {"tech"};
  DicomPeer workstation{"VIEW*"};
  workstation.users = {"viewer"};
  options_.peers = {workstation, DicomPeer{"CT*"}};
  serve();
  EXPECT_EQ(send("-usr viewer", "VIEW1").status, 0);
  EXPECT_TRUE(is_rejected_by_acse(send("-usr technician -pwd \"correct horse\"", "VIEW1")));
  EXPECT_EQ(send("-usr technician -pwd \"correct horse\"", "CT1").status, 0);
  EXPECT_TRUE(is_rejected_by_acse(send("-usr viewer", "CT1")));
}

TEST_F(UserIdentityTest, NotAskedItServesEverybodyAndClaimsNothing) {
  serve();
  EXPECT_EQ(send("-usr somebody -pwd whatever").status, 0);
  // To say yes would be to have looked.
  const Ran insisting = send("-usr somebody -pwd whatever -rsp");
  EXPECT_NE(insisting.output.find("User Identity Negotiation failed"), std::string::npos)
      << insisting.output;
}

TEST_F(UserIdentityTest, APasscodeThatCannotBeReadIsTheGatewaysFaultAndPasses) {
  options_.asked_users = {"tech"};
  ::unlink((folder_ + "/passcode").c_str());
  serve();
  const Ran ran = send("-usr technician -pwd \"correct horse\"");
  EXPECT_NE(ran.output.find("Rejected Transient"), std::string::npos) << ran.output;
  write_passcode("correct horse");
  EXPECT_EQ(send("-usr technician -pwd \"correct horse\"").status, 0);
}

TEST_F(UserIdentityTest, NeitherNameNorPasscodeIsLogged) {
  options_.asked_users = {"tech"};
  serve();
  testing::internal::CaptureStderr();
  EXPECT_NE(send("-usr MYSECRET -pwd MYSECRET").status, 0);
  EXPECT_TRUE(eventually([this] { return counted("rejected") == 1; }));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("association refused: CT1"), std::string::npos) << log;
  EXPECT_EQ(log.find("MYSECRET"), std::string::npos) << log;
}

}  // namespace
}  // namespace gateway::adapters::dicom
