// The console of the daemon as it ships, over real TLS: who gets in, and what a session may do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/text.h"
#include "daemon_process.h"
#include "fhir_client.h"
#include "tests/fakes/certificates.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using testing::HasSubstr;
using testing::Not;

// Follows the events; the first one is known by a file.
constexpr char kFollow[] = R"(
import http.client, pathlib, ssl, sys
port, ca, cookie, heard = sys.argv[1:]
line = http.client.HTTPSConnection('127.0.0.1', int(port), context=ssl.create_default_context(cafile=ca))
line.request('GET', '/console/api/events', headers={'Cookie': cookie})
answer = line.getresponse()
while text := answer.readline():
    if text.startswith(b'event: overview'):
        pathlib.Path(heard).touch()
)";

constexpr char kPassword[] = "four words of hers";

class Console : public testing::Test {
 protected:
  Console()
      : ca_(certificates_, "clinic-ca"),
        server_(ca_.issue({"gateway", {"localhost"}, {"127.0.0.1"}})) {
    daemon_.configure(cat("[console]\nbind = \"127.0.0.1\"\nport = ", port_,
                          "\ncertificate_file = \"", server_.certificate, "\"\nkey_file = \"",
                          server_.key, "\"\n"));
  }
  void start() {
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
    ASSERT_TRUE(answers()) << daemon_.log();
  }
  bool answers() {
    return holds_within(20, [&] { return send("GET", "/console/api/session").status == 200; });
  }
  void add(const std::string& name, const std::string& role) {
    const Finished added = daemon_.ask({"accounts", "add", name, "--role", role}, kPassword);
    ASSERT_EQ(added.exit_code, 0) << added.err;
  }
  FhirAnswered send(const std::string& method, const std::string& target,
                    core::net::Headers headers = {}, const std::string& body = "") {
    core::net::HttpClientOptions options;
    options.url = cat("https://127.0.0.1:", port_);
    options.ca_file = ca_.file();
    FhirTestClient client(options);
    return client.send(method, target, body, std::move(headers));
  }
  static core::net::Headers json() { return {{"Content-Type", "application/json"}}; }

  struct SignedIn {
    int status = 0;
    std::string cookie;
    std::string csrf;
    FhirAnswered answer;
  };
  SignedIn sign_in(const std::string& name, const std::string& password = kPassword) {
    SignedIn in;
    in.answer = send("POST", "/console/api/sign-in", json(),
                     Json::object({{"name", name}, {"password", password}}).dump());
    in.status = in.answer.status;
    const std::string set(in.answer.http.header("Set-Cookie"));
    in.cookie = set.substr(0, set.find(';'));
    in.csrf = in.answer.body["csrf"].text();
    return in;
  }
  FhirAnswered get(const SignedIn& in, const std::string& what) {
    return send("GET", cat("/console/api/", what), {{"Cookie", in.cookie}});
  }
  FhirAnswered post(const SignedIn& in, const std::string& what, const std::string& csrf,
                    const std::string& body) {
    core::net::Headers headers = json();
    headers.emplace_back("Cookie", in.cookie);
    if (!csrf.empty()) headers.emplace_back("X-CSRF-Token", csrf);
    return send("POST", cat("/console/api/", what), std::move(headers), body);
  }

  /// One instance of a study: 4 x 4 grey pixels, or a text without any.
  bool store(int study, int instance, bool has_pixels) {
    const std::string dump = daemon_.folder() + "/one.dump";
    const std::string file = daemon_.folder() + "/one.dcm";
    std::ofstream out(dump);
    out << "(0008,0016) UI 1.2.840.10008.5.1.4.1.1." << (has_pixels ? "7" : "88.11")
        << "\n(0008,0018) UI 2.25." << study << '.' << instance
        << "\n(0008,0060) CS [OT]\n(0010,0010) PN [ROE^JANE]\n(0010,0020) LO [C-1]\n"
        << "(0020,000d) UI 2.25." << study << "\n(0020,000e) UI 2.25." << study << ".100\n";
    if (has_pixels)
      out << "(0028,0002) US 1\n(0028,0004) CS [MONOCHROME2]\n(0028,0010) US 4\n"
          << "(0028,0011) US 4\n(0028,0100) US 8\n(0028,0101) US 8\n(0028,0102) US 7\n"
          << "(0028,0103) US 0\n"
          << R"((7fe0,0010) OB 00\10\20\30\40\50\60\70\80\90\a0\b0\c0\d0\e0\f0)" << '\n';
    out.close();
    return run_command({"dump2dcm", "+te", dump, file}).exit_code == 0 &&
           run_command({"storescu", "-aec", "CLINICGW", "127.0.0.1",
                        std::to_string(daemon_.dicom_port()), file})
                   .exit_code == 0;
  }
  /// Looks at studies in the audit trail.
  std::size_t looks_of(const std::string& who) {
    std::istringstream lines(daemon_.ask({"audit", "export", "--actor", cat("user:", who)}).out);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line.find("\"ImagingStudy/") != line.npos;
    return count;
  }

  fakes::TestFolder certificates_;
  fakes::TestCa ca_;
  fakes::CertificateFiles server_;
  std::uint16_t port_ = free_port();
  DaemonProcess daemon_;
};

TEST_F(Console, TakesOverTheSocketThatSystemdOpened) {
  // Started by the first caller, who is answered too.
  daemon_.start_through({"systemd-socket-activate", "--listen", cat("[::]:", port_)});
  ASSERT_TRUE(holds_within(30, [&] { return send("GET", "/console/").status == 200; }))
      << daemon_.log();
  EXPECT_TRUE(daemon_.reaches("ready"));
  add("maria", "viewer");
  EXPECT_EQ(sign_in("maria").status, 200);
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  EXPECT_EQ(daemon_.log().find("cannot listen"), std::string::npos) << daemon_.log();
}

TEST_F(Console, ServesItsPagesUnderAStrictPolicy) {
  start();
  const FhirAnswered page = send("GET", "/console/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.http.body, HasSubstr("app.js"));
  const std::string policy(page.http.header("Content-Security-Policy"));
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(page.http.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(send("GET", "/console/app.js").status, 200);
  EXPECT_EQ(send("GET", "/").http.header("Location"), "/console/");
  for (const char* bad :
       {"/console/../daemon", "/console/nothing.js", "/v1/status", "/fhir/Patient"})
    EXPECT_EQ(send("GET", bad).status, 404) << bad;
}

TEST_F(Console, LetsInWhoHasAnAccountAndOnlyToWhatTheirRoleMay) {
  start();
  EXPECT_EQ(send("GET", "/console/api/studies").status, 401);
  add("vera", "viewer");
  add("olga", "operator");
  add("ada", "admin");
  EXPECT_EQ(sign_in("vera", "not her password").status, 401);

  const SignedIn viewer = sign_in("vera");
  ASSERT_EQ(viewer.status, 200) << viewer.answer.http.body;
  const std::string set(viewer.answer.http.header("Set-Cookie"));
  for (const char* flag : {"__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"})
    EXPECT_THAT(set, HasSubstr(flag));
  EXPECT_EQ(get(viewer, "overview").body["headline"].text(), "stand_alone");
  EXPECT_EQ(get(viewer, "studies").body["studies"].size(), 0U);
  EXPECT_EQ(get(viewer, "keys").status, 403);
  EXPECT_EQ(get(viewer, "audit").status, 403);
  EXPECT_EQ(post(viewer, "retry", viewer.csrf, R"({"number":0})").status, 403);

  const SignedIn operates = sign_in("olga");
  EXPECT_EQ(get(operates, "keys").status, 403);
  EXPECT_EQ(post(operates, "retry", operates.csrf, R"({"number":0})").status, 200);

  const SignedIn admin = sign_in("ada");
  EXPECT_EQ(get(admin, "keys").status, 200);
  EXPECT_EQ(get(admin, "certificates").body["certificates"].size(), 1U);
  // What was read gets there with the commit that follows.
  std::string trail;
  const auto tells_of_ada = [&] {
    trail = get(admin, "audit").http.body;
    return trail.find("user:ada") != trail.npos;
  };
  EXPECT_TRUE(holds_within(20, tells_of_ada));
  for (const char* who : {"user:vera", "user:olga", "user:ada", "console/studies", "queue/0"})
    EXPECT_THAT(trail, HasSubstr(who));
  EXPECT_EQ(get(admin, "keys/unlock").status, 404);
  EXPECT_EQ(daemon_.ask({"audit", "verify"}).exit_code, 0);
}

TEST_F(Console, ShowsOneImageOfAStudyAndNotesTheLook) {
  start();
  add("vera", "viewer");
  // In the middle of the first lies a text; the second holds nothing else.
  ASSERT_TRUE(store(1, 1, true));
  ASSERT_TRUE(store(1, 2, false));
  ASSERT_TRUE(store(2, 1, false));
  EXPECT_EQ(send("GET", "/console/api/studies/2.25.1/thumbnail").status, 401);
  const SignedIn in = sign_in("vera");
  const FhirAnswered picture = get(in, "studies/2.25.1/thumbnail");
  ASSERT_EQ(picture.status, 200) << picture.http.body;
  EXPECT_EQ(picture.http.header("Content-Type"), "image/jpeg");
  EXPECT_EQ(picture.http.header("Cache-Control"), "no-store");
  EXPECT_THAT(std::string(picture.http.header("Content-Security-Policy")),
              HasSubstr("default-src 'none'"));
  EXPECT_EQ(picture.http.body.substr(0, 2), "\xff\xd8");
  EXPECT_EQ(get(in, "studies/2.25.2/thumbnail").status, 204) << "no picture";
  EXPECT_EQ(get(in, "studies/2.25.3/thumbnail").status, 204) << "no such study";
  for (const char* bad : {"studies/thumbnail", "studies//thumbnail", "studies/..%2f/thumbnail",
                          "studies/2.25.1/series/1.2/thumbnail", "studies/2.25.1/metadata"})
    EXPECT_EQ(get(in, bad).status, 404) << bad;
  // What was read gets there with the commit that follows.
  EXPECT_TRUE(holds_within(20, [&] { return looks_of("vera") == 1; }));
  EXPECT_EQ(get(in, "studies/2.25.1/thumbnail").status, 200);
  EXPECT_EQ(get(in, "studies/2.25.1/thumbnail").status, 200);
  const SignedIn again = sign_in("vera");
  EXPECT_EQ(get(again, "studies/2.25.1/thumbnail").status, 200);
  EXPECT_TRUE(holds_within(20, [&] { return looks_of("vera") > 1; }));
  EXPECT_EQ(looks_of("vera"), 2U) << "once for each session";
}

TEST_F(Console, TakesNoChangeThatAnotherSiteCouldBringAbout) {
  start();
  add("olga", "operator");
  const SignedIn in = sign_in("olga");
  const std::string body = R"({"number":0})";
  EXPECT_EQ(post(in, "retry", "", body).status, 403);
  EXPECT_EQ(post(in, "retry", std::string(64, '0'), body).status, 403);
  EXPECT_EQ(
      send("POST", "/console/api/retry",
           {{"Cookie", in.cookie}, {"X-CSRF-Token", in.csrf}, {"Content-Type", "text/plain"}}, body)
          .status,
      415);
  core::net::Headers foreign = json();
  foreign.emplace_back("Cookie", in.cookie);
  foreign.emplace_back("X-CSRF-Token", in.csrf);
  foreign.emplace_back("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(send("POST", "/console/api/retry", foreign, body).status, 403);
  EXPECT_EQ(post(in, "retry", in.csrf, body).status, 200);
}

TEST_F(Console, LocksANameOutAfterFiveFailures) {
  start();
  add("vera", "viewer");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sign_in("vera", "a wrong password").status, 401);
  const SignedIn locked = sign_in("vera");
  EXPECT_EQ(locked.status, 429);
  EXPECT_THAT(std::string(locked.answer.http.header("Retry-After")), Not(testing::IsEmpty()));
  EXPECT_THAT(daemon_.log(), Not(HasSubstr("a wrong password")));
}

TEST_F(Console, EndsASessionWithItsAccountAndWhenSignedOut) {
  start();
  add("vera", "viewer");
  const SignedIn one = sign_in("vera");
  const SignedIn other = sign_in("vera");
  EXPECT_EQ(post(one, "sign-out", one.csrf, "{}").status, 200);
  EXPECT_EQ(get(one, "studies").status, 401);
  EXPECT_EQ(get(other, "studies").status, 200);
  ASSERT_EQ(daemon_.ask({"accounts", "remove", "vera"}).exit_code, 0);
  EXPECT_EQ(get(other, "studies").status, 401);
  EXPECT_EQ(sign_in("vera").status, 401);
  EXPECT_THAT(daemon_.ask({"accounts"}).out, Not(HasSubstr("vera")));
}

TEST_F(Console, SaysThatTheGatewayIsLocked) {
  start();
  add("vera", "viewer");
  ASSERT_EQ(daemon_.stop(), 0);
  daemon_.write_passphrase("not the passphrase");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  ASSERT_TRUE(answers());
  EXPECT_EQ(send("GET", "/console/api/session").body["state"].text(), "locked");
  EXPECT_EQ(send("GET", "/console/").status, 200);
  EXPECT_EQ(sign_in("vera").status, 503);
}

TEST_F(Console, StopsAtOnceWhilePagesFollowIt) {
  start();
  add("vera", "viewer");
  const SignedIn in = sign_in("vera");
  const std::string heard = daemon_.folder() + "/heard";
  const BackgroundProcess page(
      {"python3", "-c", kFollow, cat(port_), ca_.file(), in.cookie, heard});
  ASSERT_TRUE(holds_within(20, [&] { return std::filesystem::exists(heard); }));
  EXPECT_EQ(daemon_.stop(), 0);
}

}  // namespace
}  // namespace gateway::daemon
