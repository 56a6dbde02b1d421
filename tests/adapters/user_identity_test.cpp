// Who is using a device: asked by the gateway, told by DCMTK's storescu.
#include "adapters/dicom/user_identity.h"

#include <sys/stat.h>

#include <fstream>

#include "adapters/dicom/admission.h"
#include "adapters/dicom/guess_brake.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/dicom_served.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

class HandClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return now; }
  core::Wall wall() const override { return {}; }
  core::Monotonic now{std::chrono::seconds(1'000)};
};

/// One caller, by the hand of the clock.
struct AdmittedUser {
  AdmittedUser(const DicomOptions& options, const sync::HoldingsDoor& door)
      : admission(options, door, clock) {}
  Admission::Decision says(std::string_view passcode) {
    Caller caller{"CT1", "GW", "10.0.0.9", false, {}};
    caller.user.kind = UserIdentity::Kind::name_and_passcode;
    caller.user.username = "technician";
    caller.user.passcode = crypto::Secret::copy_of(passcode);
    return admission.decide(caller);
  }
  HandClock clock;
  Admission admission;
};

TEST(GuessBrake, WaitsEverLongerAndOnlyForWhoGuesses) {
  using std::chrono::seconds;
  GuessBrake brake;
  core::Monotonic now{seconds(1'000)};
  for (unsigned i = 1; i < GuessBrake::kWrongWithoutWait; ++i) brake.was_wrong("10.0.0.9", now);
  EXPECT_FALSE(brake.wait_of("10.0.0.9", now));
  core::Milliseconds last{0};
  for (int i = 0; i < 20; ++i) {
    brake.was_wrong("10.0.0.9", now);
    const auto wait = brake.wait_of("10.0.0.9", now);
    ASSERT_TRUE(wait);
    EXPECT_TRUE(*wait > last || *wait == GuessBrake::kLongestWait);
    last = *wait;
    now += *wait;
    EXPECT_FALSE(brake.wait_of("10.0.0.9", now));
  }
  EXPECT_EQ(last, GuessBrake::kLongestWait);
  EXPECT_FALSE(brake.wait_of("10.0.0.8", now));
  brake.was_right("10.0.0.9");
  brake.was_wrong("10.0.0.9", now);
  EXPECT_FALSE(brake.wait_of("10.0.0.9", now));
}

TEST(GuessBrake, RemembersABoundedNumberOfAddresses) {
  GuessBrake brake;
  core::Monotonic now{std::chrono::seconds(1'000)};
  for (std::size_t i = 0; i < 3 * GuessBrake::kAddressesMax; ++i)
    brake.was_wrong(cat("fd00::", i), now += core::Milliseconds(1));
  EXPECT_EQ(brake.addresses(), GuessBrake::kAddressesMax);
}

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

TEST_F(UserIdentityTest, WhoGuessesHasToWaitAlsoWithTheRightOne) {
  // Beyond this many the waits have grown to more than what the calls between them take.
  constexpr unsigned kGuesses = GuessBrake::kWrongWithoutWait + 8;
  options_.asked_users = {"tech"};
  AdmittedUser admitted(options_, door_);
  for (unsigned i = 0; i < kGuesses; ++i) {
    (void)admitted.says("wrong");
    admitted.clock.now += GuessBrake::kLongestWait;
  }
  (void)admitted.says("wrong");
  const auto braked = admitted.says("correct horse");
  EXPECT_EQ(braked.rejection, Rejection::not_at_the_moment);
  EXPECT_NE(braked.why.find("too many wrong users"), std::string::npos) << braked.why;
  admitted.clock.now += GuessBrake::kLongestWait;
  EXPECT_TRUE(admitted.says("correct horse").is_admitted);
  EXPECT_EQ(admitted.says("wrong").rejection, Rejection::user_unknown) << "it counts anew";
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
