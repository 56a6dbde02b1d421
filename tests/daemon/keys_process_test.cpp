// Key slots from outside: the daemon and the command as they ship.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "core/net/http.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "crypto/recovery_code.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;
using testing::Not;

constexpr char kPassphrase[] = "correct horse battery staple";

Json parse(const std::string& text) {
  auto json = Json::parse(text);
  return json.ok() ? std::move(*json) : Json();
}

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// With the passphrase file, so that it opens by itself.
class KeysTest : public testing::Test {
 protected:
  void start_ready() {
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  void restart_without_passphrase() {
    EXPECT_EQ(daemon_.stop(), 0);
    std::filesystem::remove(daemon_.folder() + "/passphrase");
    daemon_.start();
  }
  Json slots() { return parse(daemon_.ask({"keys", "list"}).out)["slots"]; }
  std::string id_of(const std::string& kind) {
    const Json all = slots();
    for (const Json& slot : all.items()) {
      if (slot["kind"].text() == kind) return std::string(slot["id"].text());
    }
    return "none";
  }
  std::string add_recovery() {
    return std::string(parse(daemon_.ask({"keys", "add", "recovery"}).out)["recovery_code"].text());
  }
  /// What the command does after systemd-creds has sealed the digits.
  Json add_credential(const std::string& hex) {
    core::net::HttpRequest request;
    request.method = "POST";
    request.target = "/v1/keys/add";
    request.body = R"({"kind":"credential","sealed_with":"tpm2"})"
                   "\n" +
                   hex;
    const auto answer =
        core::net::unix_http_request(daemon_.socket(), request, std::chrono::seconds(15));
    return answer.ok() ? parse(answer->body) : Json(answer.error().message());
  }
  /// The pair's PEM files escrow.pem and public.pem.
  void make_escrow_pair() {
    const std::string key = daemon_.folder() + "/escrow.pem";
    ASSERT_EQ(run_command({"openssl", "genpkey", "-algorithm", "X25519", "-out", key}).exit_code,
              0);
    ASSERT_EQ(run_command({"openssl", "pkey", "-in", key, "-pubout", "-out",
                           daemon_.folder() + "/public.pem"})
                  .exit_code,
              0);
  }

  DaemonProcess daemon_;
};

TEST_F(KeysTest, SlotsAreListedAddedProvenAndRemoved) {
  start_ready();
  ASSERT_EQ(slots().size(), 1u);
  EXPECT_TRUE(slots()[std::size_t{0}]["opened"].boolean());
  const std::string first = id_of("passphrase");
  EXPECT_EQ(daemon_.ask({"keys", "remove", first}).exit_code, 1) << "it is the last one";
  const Finished added =
      daemon_.ask({"keys", "add", "passphrase", "--label", "night shift"}, "seven quiet otters\n");
  ASSERT_EQ(added.exit_code, 0) << added.err;
  ASSERT_EQ(slots().size(), 2u);
  EXPECT_EQ(slots()[std::size_t{1}]["label"].text(), "night shift");
  const Finished proven = daemon_.ask({"keys", "prove"}, "seven quiet otters\n");
  EXPECT_EQ(parse(proven.out)["slot"]["id"].text(), slots()[std::size_t{1}]["id"].text());
  EXPECT_EQ(daemon_.ask({"keys", "prove"}, "something else\n").exit_code, 1) << "it is open";
  const Finished open = daemon_.ask({"unlock"}, "something else\n");
  EXPECT_EQ(open.exit_code, 0);
  EXPECT_EQ(open.out, "{\"state\":\"ready\",\"checked\":false}\n");
  EXPECT_EQ(daemon_.ask({"keys", "remove", first}).exit_code, 0);
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  EXPECT_EQ(slots().size(), 1u) << "the list needs no key";
  EXPECT_EQ(daemon_.ask({"keys", "add", "passphrase"}, "x\n").exit_code, 4);
  EXPECT_EQ(daemon_.ask({"keys", "unlock"}, std::string(kPassphrase) + "\n").exit_code, 4);
  EXPECT_EQ(daemon_.ask({"keys", "unlock"}, "seven quiet otters\n").exit_code, 0);
}

TEST_F(KeysTest, TheRecoveryCodeUnlocksAndMakesANewPassphrase) {
  start_ready();
  EXPECT_THAT(daemon_.ask({"doctor"}).out, HasSubstr("no recovery code"));
  const std::string code = add_recovery();
  ASSERT_EQ(code.size(), 47u);
  EXPECT_THAT(daemon_.ask({"doctor"}).out, Not(HasSubstr("no recovery code")));
  // Of the right form, and of no slot here.
  const crypto::Secret another = crypto::write_recovery_code(crypto::RecoveryCode::random());
  const Finished open_already = daemon_.ask(
      {"keys", "recover"}, core::cat(crypto::as_text(another.bytes()), "\nfresh words today\n"));
  EXPECT_EQ(open_already.exit_code, 1) << open_already.out;
  EXPECT_EQ(slots().size(), 2u) << "no passphrase is made for it";
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  std::string mistyped = code;
  mistyped[12] = mistyped[12] == 'A' ? 'B' : 'A';
  const Finished wrong = daemon_.ask({"keys", "recover"}, mistyped + "\nfresh words today\n");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("group 3"));
  EXPECT_THAT(daemon_.ask({"keys", "recover"}, "\n").err, HasSubstr("no recovery code was given"));
  const Finished recovered = daemon_.ask({"keys", "recover"}, code + "\nfresh words today\n");
  ASSERT_EQ(recovered.exit_code, 0) << recovered.err;
  EXPECT_EQ(daemon_.status()["key_protection"].text(), "recovery");
  EXPECT_EQ(daemon_.stop(), 0);
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("locked"));
  EXPECT_EQ(daemon_.ask({"unlock"}, "fresh words today\n").exit_code, 0);
}

TEST_F(KeysTest, CentralsEscrowKeyRecoversWhatNobodyElseCanOpen) {
  start_ready();
  make_escrow_pair();
  const Finished added =
      daemon_.ask({"keys", "add", "escrow", "--public-key", daemon_.folder() + "/public.pem"});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const std::string key = daemon_.folder() + "/escrow.pem";
  EXPECT_EQ(daemon_.ask({"keys", "prove", "escrow", "--escrow-key", key}).exit_code, 0);
  EXPECT_EQ(daemon_.ask({"keys", "remove", id_of("passphrase")}).exit_code, 1)
      << "an escrow slot alone does not open by itself";
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  const Finished recovered =
      daemon_.ask({"keys", "recover", "--escrow-key", key}, "fresh words today\n");
  ASSERT_EQ(recovered.exit_code, 0) << recovered.err;
  EXPECT_EQ(daemon_.status()["key_protection"].text(), "escrow");
  EXPECT_EQ(slots().size(), 3u);

  const std::string medium = daemon_.folder() + "/medium";
  ASSERT_EQ(daemon_.ask({"backup", "--to", medium}).exit_code, 0);
  const Finished restored = daemon_.ask({"restore", "--from", medium, "--state-dir",
                                         daemon_.folder() + "/new-box", "--escrow-key", key});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
}

TEST_F(KeysTest, TheMachinesCredentialOpensItAtTheStart) {
  start_ready();
  const std::string hex(64, 'c');
  EXPECT_FALSE(add_credential(hex)["slot"]["id"].text().empty());
  const std::string credentials = daemon_.folder() + "/credentials";
  std::filesystem::create_directory(credentials);
  std::ofstream(credentials + "/slot-key") << hex;
  daemon_.set_environment("CREDENTIALS_DIRECTORY", credentials);
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_EQ(daemon_.status()["key_protection"].text(), "tpm2");
  // It did open in this run, so the passphrase may go.
  EXPECT_EQ(daemon_.ask({"keys", "remove", id_of("passphrase")}).exit_code, 0);
  EXPECT_EQ(daemon_.ask({"keys", "remove", id_of("credential")}).exit_code, 1);
}

TEST_F(KeysTest, AUnitHandsTheUnsealedCredentialOver) {
  start_ready();
  const std::string hex(64, 'd');
  add_credential(hex);
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  std::ofstream(daemon_.folder() + "/slot-key") << hex << '\n';
  const Finished handed =
      run_command({"env", "CREDENTIALS_DIRECTORY=" + daemon_.folder(), GATEWAY_COMMAND, "--socket",
                   daemon_.socket(), "keys", "unlock", "--credential", "slot-key"});
  EXPECT_EQ(handed.exit_code, 0) << handed.err;
  EXPECT_EQ(daemon_.status()["key_protection"].text(), "tpm2");
}

/// Debian's tangd on a loopback port, as its socket unit runs it.
class TangServer {
 public:
  explicit TangServer(const std::string& folder) : database_(folder + "/tang") {
    std::filesystem::create_directory(database_);
    run_command({"/usr/libexec/tangd-keygen", database_});
  }
  static bool installed() { return std::filesystem::exists("/usr/libexec/tangd"); }
  void start() {
    process_ = std::make_unique<BackgroundProcess>(std::vector<std::string>{
        "socat", "TCP-LISTEN:" + std::to_string(port_) + ",bind=127.0.0.1,reuseaddr,fork",
        "EXEC:/usr/libexec/tangd " + database_});
  }
  void stop() { process_.reset(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  std::string database_;
  std::uint16_t port_ = free_port();
  std::unique_ptr<BackgroundProcess> process_;
};

TEST_F(KeysTest, AwayFromItsTangServerItStaysLockedAndOpensWhenItIsBack) {
  if (!TangServer::installed()) GTEST_SKIP() << "no tangd here: install the package tang";
  TangServer tang(daemon_.folder());
  start_ready();
  tang.start();
  Finished refused;
  ASSERT_TRUE(holds_within(10, [&] {
    refused = daemon_.ask({"keys", "add", "tang", "--url", tang.url()});
    return refused.err.find("the server signs with ") != std::string::npos;
  })) << refused.err;
  const auto at = refused.err.find("signs with ") + 11;
  const std::string thumbprint = refused.err.substr(at, refused.err.find(';') - at);
  EXPECT_EQ(
      daemon_.ask({"keys", "add", "tang", "--url", tang.url(), "--thumbprint", "wrong"}).exit_code,
      1);
  const Finished added =
      daemon_.ask({"keys", "add", "tang", "--url", tang.url(), "--thumbprint", thumbprint});
  ASSERT_EQ(added.exit_code, 0) << added.err;

  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_EQ(daemon_.status()["key_protection"].text(), "tang");

  EXPECT_EQ(daemon_.stop(), 0);
  tang.stop();
  daemon_.start();
  ASSERT_TRUE(holds_within(20, [&] {
    return daemon_.status()["reason"].text().find(tang.url().substr(7)) != std::string::npos;
  })) << daemon_.status().dump();
  EXPECT_EQ(daemon_.status()["state"].text(), "locked");
  tang.start();
  EXPECT_TRUE(daemon_.reaches("ready", 40)) << daemon_.log();
}

std::size_t count_in_memory(pid_t process, const std::string& wanted);

/// Of a sanitizer: its shadow cannot be searched, and it leaves memory unlocked.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kForeignMemory = true;
#else
constexpr bool kForeignMemory = false;
#endif

TEST_F(KeysTest, NoSecretIsInArgumentsEnvironmentLogStateOrLeftInMemory) {
  start_ready();
  const std::string code = add_recovery();
  make_escrow_pair();
  daemon_.ask({"keys", "add", "passphrase"}, "seven quiet otters under the bridge\n");
  const std::string hex = "0123456789abcdef0123456789abcdef0123456789abcdeffedcba9876543210";
  add_credential(hex);
  daemon_.ask({"keys", "add", "escrow", "--public-key", daemon_.folder() + "/public.pem"});
  restart_without_passphrase();
  ASSERT_TRUE(daemon_.reaches("locked"));
  daemon_.ask({"keys", "unlock"}, "a wrong one that nobody knows\n");
  const std::string key_file = daemon_.folder() + "/escrow.pem";
  ASSERT_EQ(daemon_.ask({"keys", "recover", "--escrow-key", key_file}, "fresh words of today\n")
                .exit_code,
            0);
  daemon_.ask({"keys", "prove", "recovery"}, code + "\n");
  const std::string pem = content(key_file);
  const std::vector<std::string> secrets{kPassphrase,
                                         "seven quiet otters under the bridge",
                                         "a wrong one that nobody knows",
                                         "fresh words of today",
                                         code,
                                         hex,
                                         pem.substr(pem.find('\n') + 1, 60)};
  const std::string proc = "/proc/" + std::to_string(daemon_.process());
  std::string seen = content(proc + "/cmdline") + content(proc + "/environ") + daemon_.log();
  const std::string state = daemon_.state_folder();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state)) {
    if (entry.is_regular_file()) seen += content(entry.path());
  }
  if (::geteuid() == 0 && !kForeignMemory) {
    EXPECT_GT(count_in_memory(daemon_.process(), state), 0u) << "the search finds nothing at all";
  }
  for (const std::string& secret : secrets) {
    EXPECT_THAT(seen, Not(HasSubstr(secret)));
    if (kForeignMemory) continue;
    EXPECT_EQ(count_in_memory(daemon_.process(), secret), 0u) << secret;
  }
}

/// In all that the process can write; 0 as well where this user may not look.
std::size_t count_in_memory(pid_t process, const std::string& wanted) {
  const std::string proc = "/proc/" + std::to_string(process);
  std::ifstream maps(proc + "/maps");
  std::ifstream memory(proc + "/mem", std::ios::binary);
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    std::size_t begin = 0;
    std::size_t end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%zx-%zx %4s", &begin, &end, mode) != 3 || mode[1] != 'w')
      continue;
    std::string bytes(end - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(memory.gcount()));
    for (auto at = bytes.find(wanted); at != bytes.npos; at = bytes.find(wanted, at + 1)) ++count;
  }
  return count;
}

TEST_F(KeysTest, TheDaemonsMemoryIsClosedToItsOwnUserAndToCoreFiles) {
  start_ready();
  const std::string proc = "/proc/" + std::to_string(daemon_.process());
  EXPECT_THAT(content(proc + "/limits"), testing::ContainsRegex("Max core file size +0 +0"));
  // A process that is not dumpable belongs to root in /proc, whoever runs it.
  struct stat facts {};
  ASSERT_EQ(::stat((proc + "/mem").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_uid, 0u);
  if (!kForeignMemory) {
    EXPECT_THAT(content(proc + "/status"), testing::ContainsRegex("VmLck:[ \t]+[1-9]"));
  }
}

}  // namespace
}  // namespace gateway::daemon
