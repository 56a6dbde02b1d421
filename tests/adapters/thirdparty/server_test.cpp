// A third-party adapter on a real socket, into the real database: who is heard, what is kept, and
// which answer it gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/filedrop/dropped.h"
#include "adapters/frame/line_recorder.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/thirdparty/socket_server.h"
#include "core/base64.h"
#include "core/text.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::cat;
using core::Json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kPatienceMs = 20'000;
constexpr std::size_t kFirst = 0;
constexpr char kToken[] = "a token of a program";
constexpr char kTokenSha256[] = "ae1d0682e447a63d72dcf85f4afbbdb05c01e52797476a4d4dfe8a9b86425b37";
constexpr char kPdf[] = "%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF\n";

/// A program's end of a connection. Reads wait at most 20 s.
class Line {
 public:
  explicit Line(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      ADD_FAILURE() << "no connection";
  }
  ~Line() { ::close(socket_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void say(const std::string& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      sent += static_cast<std::size_t>(count);
    }
  }
  /// The next line; empty: the connection ended.
  std::string hear() {
    while (heard_.find('\n') == heard_.npos) {
      pollfd waiting{socket_, POLLIN, 0};
      char bytes[4096];
      if (::poll(&waiting, 1, kPatienceMs) != 1) return "nothing came";
      const ssize_t count = ::read(socket_, bytes, sizeof bytes);
      if (count <= 0) return {};
      heard_.append(bytes, static_cast<std::size_t>(count));
    }
    std::string line = heard_.substr(0, heard_.find('\n'));
    heard_.erase(0, line.size() + 1);
    return line;
  }
  std::string ask(const Json& line) {
    say(line.dump() + '\n');
    return hear();
  }

 private:
  const int socket_;
  std::string heard_;
};

Json hello(const char* token = kToken) {
  return Json::object({{"type", "hello"}, {"version", 1}, {"token", token}});
}

Json handed(const char* type, const char* id, const char* member, std::string_view content) {
  return Json::object({{"type", type}, {"id", id}, {member, content}});
}

Json glucose(const char* id, const char* value = "5.40") {
  return handed("record", id, "text",
                cat(R"({"time":"2026-11-20T10:02:33Z","patient":{"id":"P1"},"results":[)",
                    R"({"code":"GLU","value":")", value, R"(","unit":"mmol/L"}]})"));
}

Json oru(const char* id) {
  return handed("hl7", id, "text",
                "MSH|^~\\&|A|L|G|C|20260301101500+0100||ORU^R01|77|P|2.5.1\rPID|1||P1||Roe^Jane\r"
                "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\r"
                "OBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|||||F\r");
}

profiles::FieldPath path_to(const char* column) {
  const auto path = profiles::FieldPath::parse(column);
  return path.ok() ? *path : profiles::FieldPath();
}

/// A socket's file that nobody listens on.
void leave_behind(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
}

class ThirdParty : public sync::RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    folder_ = sync::make_folder();
    device_.device.options.profile.name = "bridge";
    device_.device.options.profile.patient_id_issuer = sync::kIssuer;
    device_.device.options.listener.name = "bridge";
    device_.device.options.listener.path = folder_ + "/bridge.sock";
    device_.device.options.message_bytes_max = 100'000;
    device_.token_sha256 = kTokenSha256;
    auto profile = profiles::load_profile(core::system_files(),
                                          std::string(GATEWAY_PROFILES) + "/generic-json");
    ASSERT_TRUE(profile.ok()) << profile.error().message();
    device_.device.profile = std::move(*profile);
    door_.open(held_);
  }
  void TearDown() override {
    if (server_) server_->stop();
    server_.reset();
    door_.close();
    std::filesystem::remove_all(folder_);
    RecordsTest::TearDown();
  }
  void start() {
    FileDecoders decoders;
    decoders.dropped = filedrop::read_dropped;
    decoders.hl7 = [](std::string bytes, const mapping::DeviceProfile& device) {
      std::vector<std::shared_ptr<sync::IncomingMessage>> messages;
      for (std::string& one : hl7::cut_frame(std::move(bytes)))
        messages.push_back(
            hl7::read_message(std::move(one), device, "", core::system_clock()).incoming);
      return messages;
    };
    server_ = make_socket_server({device_}, decoders, door_, core::system_clock());
    const auto started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  const std::string& path() const { return device_.device.options.listener.path; }
  Json report() const { return server_->report()["devices"][kFirst]; }
  std::string counts() const { return report()["counts"].dump(); }
  std::int64_t observations() {
    return count("SELECT count(*) FROM resource WHERE type = 'Observation'");
  }

  std::string folder_;
  sync::HoldingsDoor door_;
  SocketDevice device_;
  std::unique_ptr<Adapter> server_;
};

TEST_F(ThirdParty, WhatIsAcceptedIsOnStableStorageAndARepeatHearsTheSame) {
  start();
  Line line(path());
  EXPECT_EQ(line.ask(hello()),
            R"({"answer":"welcome","version":1,"device":"bridge","line_bytes_max":100000})");
  const std::string answer = line.ask(glucose("r-1"));
  EXPECT_EQ(answer, R"({"answer":"accepted","id":"r-1","messages":[{"number":1}]})");
  EXPECT_EQ(observations(), 1);
  EXPECT_EQ(line.ask(glucose("r-1")), answer);
  EXPECT_EQ(line.ask(glucose("r-1", "5.41")),
            R"({"answer":"accepted","id":"r-1","messages":[{"number":2}]})");
  EXPECT_EQ(counts(), R"({"stored":2,"repeated":1,"unassigned":0,"dead":0,"refused":0})");
  EXPECT_EQ(report()["profile"].text(), "");
  EXPECT_THAT(report()["revision"].text(), HasSubstr("1+"));
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE what = 'control id'"), 1);
}

TEST_F(ThirdParty, Hl7HearsItsOwnAcknowledgmentToo) {
  start();
  Line line(path());
  line.ask(hello());
  const std::string answer = line.ask(oru("a"));
  EXPECT_THAT(answer, HasSubstr("MSA|AA|77"));
  EXPECT_EQ(observations(), 1);
  std::string again = line.ask(oru("b"));
  EXPECT_THAT(again, HasSubstr(R"("id":"b")"));
  again.replace(again.find(R"("id":"b")"), 8, R"("id":"a")");
  EXPECT_EQ(again, answer) << "the message's own control id counts";
}

TEST_F(ThirdParty, ADocumentAloneWaitsForAPersonAndBesideARecordIsThePatients) {
  start();
  Line line(path());
  line.ask(hello());
  EXPECT_THAT(line.ask(handed("document", "d", "data", core::to_base64(kPdf))),
              HasSubstr(R"("accepted")"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'unassigned'"), 1);
  Json both = glucose("r");
  both.set("document", core::to_base64(kPdf));
  EXPECT_THAT(line.ask(both), HasSubstr(R"("accepted")"));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'DocumentReference'"), 1);
  EXPECT_THAT(line.ask(handed("document", "e", "data", core::to_base64("%PDF-1.4\n"))),
              HasSubstr("ends before its end"));
  EXPECT_THAT(line.ask(handed("document", "f", "data", core::to_base64("text"))),
              HasSubstr("no PDF, JPEG or PNG"));
}

TEST_F(ThirdParty, EachRowOfATableIsAMessageOfItsOwn) {
  device_.device.profile.fields = {};
  device_.device.profile.fields.format = "csv";
  device_.device.profile.fields.patient_id = path_to("Id");
  device_.device.profile.fields.time = path_to("At");
  profiles::MeasuredField glucose;
  glucose.code = "GLU";
  glucose.unit = "mmol/L";
  glucose.path = path_to("Value");
  device_.device.profile.fields.measured = {glucose};
  start();
  Line line(path());
  line.ask(hello());
  const Json table =
      handed("record", "t", "text", "Id,At,Value\nP1,20260301100000,5.0\nP2,20260301100500,6.0\n");
  const std::string answer = line.ask(table);
  EXPECT_EQ(answer, R"({"answer":"accepted","id":"t","messages":[{"number":1},{"number":2}]})");
  EXPECT_EQ(observations(), 2);
  EXPECT_EQ(line.ask(table), answer);
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE what = 'control id'"), 0);
}

TEST_F(ThirdParty, ARecordWithoutATimeOfItsOwnSaysWhenItWasMade) {
  device_.device.profile.fields.time = {};
  start();
  Line line(path());
  line.ask(hello());
  EXPECT_THAT(line.ask(glucose("1")), HasSubstr("write at, when it was made"));
  Json timed = glucose("1");
  timed.set("at", "yesterday");
  EXPECT_THAT(line.ask(timed), HasSubstr("at is no time"));
  timed.set("at", "2026-11-20T10:02:33Z");
  const std::string answer = line.ask(timed);
  EXPECT_THAT(answer, HasSubstr(R"("accepted")"));
  EXPECT_EQ(line.ask(timed), answer);
  EXPECT_EQ(observations(), 1);
}

TEST_F(ThirdParty, WithoutAProfileARecordIsRefusedAndHl7IsTaken) {
  device_.device.profile = {};
  start();
  Line line(path());
  line.ask(hello());
  EXPECT_THAT(line.ask(glucose("1")), HasSubstr("device.bridge.profile names no profile"));
  EXPECT_THAT(line.ask(oru("2")), HasSubstr(R"("accepted")"));
}

TEST_F(ThirdParty, WhatCannotBeReadIsKeptForAPersonAndSaidSo) {
  start();
  Line line(path());
  line.ask(hello());
  const Json broken = handed("record", "b", "text", R"({"time":)");
  const std::string answer = line.ask(broken);
  EXPECT_THAT(answer, HasSubstr(R"("accepted","id":"b","messages":[{"number":1,"dead":"not JSON)"));
  EXPECT_EQ(line.ask(broken), answer);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 1);
}

TEST_F(ThirdParty, WhoShowsNoTokenOrAWrongOneIsNotHeard) {
  testing::internal::CaptureStderr();
  start();
  const std::pair<Json, const char*> kFirstLines[] = {
      {hello("another token"), "the token is not the one of device.bridge.token_sha256"},
      {glucose("r"), "say hello first"},
      {Json::object({{"type", "hello"}, {"version", 2}, {"token", kToken}}),
       "this gateway speaks version 1"},
      {hello(std::string(5'000, 't').c_str()), "say hello first"},
  };
  for (const auto& [first, reason] : kFirstLines) {
    Line line(path());
    EXPECT_THAT(line.ask(first), HasSubstr(cat(R"({"answer":"refused","reason":")", reason)));
    EXPECT_EQ(line.hear(), "") << "the connection ends";
  }
  EXPECT_EQ(observations(), 0);
  EXPECT_TRUE(report()["last_seen"].is_null()) << "nobody of the site's has spoken";
  server_->stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("device bridge: refused: the token is not the one"));
  EXPECT_THAT(log, Not(HasSubstr("another token")));
}

TEST_F(ThirdParty, WhatIsWrongOrTooLongIsRefusedAndTheConnectionGoesOn) {
  start();
  Line line(path());
  line.ask(hello());
  EXPECT_THAT(line.ask(handed("fax", "1", "text", "x")),
              HasSubstr(R"("refused","id":"1","reason":"type is unknown)"));
  EXPECT_THAT(line.ask(hello()), HasSubstr("hello was said already"));
  line.say(std::string(300'000, 'x') + "\n");
  EXPECT_THAT(line.hear(), HasSubstr("longer than device.bridge.message_max_mb allows"));
  EXPECT_THAT(line.ask(glucose("2")), HasSubstr(R"("accepted","id":"2")"));
  EXPECT_EQ(counts(), R"({"stored":1,"repeated":0,"unassigned":0,"dead":0,"refused":3})");
}

TEST_F(ThirdParty, MoreThanItsShareIsToComeLaterAndIsNotKept) {
  device_.messages_per_s = 1;
  start();
  Line line(path());
  line.ask(hello());
  std::string lines;
  for (const char* id : {"1", "2"}) lines += glucose(id, id).dump() + "\n";
  line.say(lines);
  EXPECT_THAT(line.hear(), HasSubstr(R"("accepted","id":"1")"));
  const auto later = Json::parse(line.hear());
  ASSERT_TRUE(later.ok());
  EXPECT_EQ((*later)["answer"].text(), "later");
  EXPECT_EQ((*later)["id"].text(), "2");
  EXPECT_THAT((*later)["retry_after_ms"].integer().value_or(0),
              ::testing::AllOf(::testing::Gt(0), ::testing::Le(1'000)));
  EXPECT_EQ(count("SELECT count(*) FROM message"), 1);
  EXPECT_TRUE(fakes::eventually(
      [&] { return line.ask(glucose("2", "2")).find("accepted") != std::string::npos; }));
}

TEST_F(ThirdParty, WhileLockedItIsToComeLater) {
  door_.close();
  start();
  Line line(path());
  EXPECT_THAT(line.ask(hello()), HasSubstr("welcome"));
  EXPECT_EQ(line.ask(glucose("1")),
            R"({"answer":"later","id":"1","reason":"the gateway is locked",)"
            R"("retry_after_ms":5000})");
  door_.open(held_);
  EXPECT_THAT(line.ask(glucose("1")), HasSubstr(R"("accepted")"));
}

TEST_F(ThirdParty, ItsSocketIsOpenToOwnerAndGroupAndGoesWithIt) {
  start();
  struct stat facts {};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode, S_IFSOCK | 0660U);
  const auto second = make_socket_server({device_}, {}, door_, core::system_clock());
  const auto started = second->start();
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().message(), HasSubstr("device bridge: another process answers on"));
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(path()));
  leave_behind(path());  // as a crash does
  device_.device.options.listener.connections_max = 1;
  start();
  const Line only(path());
  Line refused(path());
  EXPECT_EQ(refused.hear(), "");
}

TEST_F(ThirdParty, ARecordingHasWhatWasHandedOverAndNotTheToken) {
  start();
  auto* const recorder = server_->recorder("bridge");
  ASSERT_NE(recorder, nullptr);
  ASSERT_TRUE(recorder->begin(core::system_clock().monotonic()));
  Line line(path());
  line.ask(hello());
  line.ask(glucose("1"));
  const auto recording = recorder->end();
  ASSERT_TRUE(recording.has_value());
  EXPECT_THAT(*recording, Not(HasSubstr(kToken)));
  const auto heard = frame::heard_in(*recording);
  ASSERT_TRUE(heard.ok());
  EXPECT_THAT(*heard, ::testing::ElementsAre(glucose("1").dump() + "\n"));
}

}  // namespace
}  // namespace gateway::adapters::thirdparty
