// The DICOM server on loopback with a real database and sealed objects, and ways to call it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "adapters/dicom/dicom_server.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/text.h"
#include "sync/replica.h"
#include "tests/adapters/scu.h"

namespace gateway::adapters::dicom {

// Standing still it makes the keyring choose the least passphrase cost.
class StillClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return {}; }
  core::Wall wall() const override {
    return std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);
  }
};

inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class DicomServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "gateway-dicom-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(pattern.data()));
    folder_ = pattern;
    options_.bind = "127.0.0.1";
    options_.port = 0;
    options_.ae_title = "GW";
  }
  void TearDown() override {
    if (server_) server_->stop();
    server_.reset();
    door_.close();
    std::filesystem::remove_all(folder_);
  }

  void unlock(std::uint64_t reserve_bytes = 0) {
    static const StillClock still;
    auto& files = core::system_files();
    const crypto::Passphrase passphrase{
        crypto::Secret::copy_of(std::string_view("a test's passphrase"))};
    auto keyring = crypto::Keyring::create(files, folder_ + "/keyring", passphrase, still);
    ASSERT_TRUE(keyring.ok()) << keyring.error().message();
    sync::HoldingsOptions options;
    options.state_folder = folder_;
    options.reserve_bytes = reserve_bytes;
    options.ingest = {"urn:oid:2.25.1", {"pacs"}, {}};
    options.ingest.read_rejection = read_rejection_;
    auto held = sync::Holdings::open(files, std::move(*keyring), core::system_clock(), options);
    ASSERT_TRUE(held.ok()) << held.error().message();
    door_.open(*held);
  }
  void serve() {
    server_ = DicomServer::create(options_, door_, core::system_clock());
    const auto started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  std::unique_ptr<Scu> connect() {
    auto scu = Scu::connect(server_->port(), "GW");
    EXPECT_TRUE(scu);
    return scu;
  }
  std::int64_t count(const std::string& sql) {
    auto value = door_.get()->database().read_value<std::optional<std::int64_t>>(
        [&](crypto::Connection& connection) { return connection.integer(sql); });
    EXPECT_TRUE(value.ok()) << value.error().message();
    return value.ok() ? value->value_or(-1) : -1;
  }
  std::int64_t instances() { return count("SELECT count(*) FROM dicom_instance"); }
  std::int64_t counted(const char* what) {
    return server_->report()["counts"][what].integer().value_or(-1);
  }
  // Sealed objects with content; the store keeps empty files at hand.
  std::size_t objects() {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ + "/objects")) {
      if (entry.is_regular_file() && entry.file_size() > 0) ++files;
    }
    return files;
  }

  /// Patient/p1, to whom every study is linked.
  void put_patient(const std::string& body) {
    auto json = core::Json::parse(body, 16);
    ASSERT_TRUE(json.ok());
    const auto change = [&](crypto::Connection& connection) -> core::Status {
      GW_CHECK(
          sync::put_resource(connection, {"Patient", "p1"}, *json, "his", "2026-03-01T00:00:00Z"));
      return connection.run("UPDATE dicom_study SET identity = 'linked', patient = 'p1'");
    };
    ASSERT_TRUE(door_.get()->database().write(change).ok());
  }

  struct Ran {
    int status = -1;
    std::string output;
  };
  // `arguments` follow host and port.
  Ran run(const std::string& tool, const std::string& arguments) {
    return run_command(
        core::cat(tool, " -aec GW 127.0.0.1 ", server_->port(), " ", arguments, " 2>&1"));
  }
  static Ran run_command(const std::string& command) {
    Ran ran;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return ran;
    std::array<char, 4096> buffer;
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) ran.output += buffer.data();
    ran.status = ::pclose(pipe);
    return ran;
  }

  /// A TCP port nobody listens on.
  static std::uint16_t free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size), 0);
    ::close(probe);
    return ntohs(address.sin_port);
  }

  int connect_raw() { return connect_raw(server_->port()); }
  /// `from`: the last byte of the caller's loopback address.
  static int connect_raw(std::uint16_t port, std::uint8_t from = 1) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFU) | from);
    EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  // True when the server hangs up.
  static bool is_hung_up_on(int socket) {
    timeval limit{20, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::array<char, 256> buffer;
    ssize_t got = 0;
    while ((got = ::recv(socket, buffer.data(), buffer.size(), 0)) > 0) {
    }
    return got == 0 || errno == ECONNRESET;
  }

  sync::ReadRejectionNote read_rejection_;  // before unlock()
  std::string folder_;
  DicomOptions options_;
  sync::HoldingsDoor door_;
  std::unique_ptr<DicomServer> server_;
};

}  // namespace gateway::adapters::dicom
