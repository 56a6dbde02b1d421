// The upkeep of a real store, beside a PACS that is asked over HTTP.
#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "sync/upkeep.h"
#include "tests/fakes/forwarding_files.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/part10_file.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {

/// The real disk with as much room as the test says.
class RoomyFiles final : public fakes::ForwardingFiles {
 public:
  RoomyFiles() : ForwardingFiles(core::system_files()) {}
  std::atomic<std::uint64_t> free = UINT64_C(1) << 40;

  core::Result<std::uint64_t> free_bytes(const std::string&) override { return free.load(); }
};

class UpkeepTest : public RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    server_ = std::make_unique<fakes::TlsServer>(fakes::TlsServerOptions{},
                                                 [this](fakes::ServedConnection& connection) {
                                                   while (auto request = connection.read_request())
                                                     answer(connection, request->head);
                                                 });
    options_.retention_every = core::Milliseconds(10);
    options_.scrub_begins_after = options_.scrub_looks_every = core::Milliseconds(10);
    options_.scrub_round_every = std::chrono::hours(24);
    options_.connect = [this](boost::asio::any_io_executor loop, const std::string&) {
      core::net::HttpClientOptions client;
      client.url = core::cat("http://127.0.0.1:", server_->port(), "/dicom-web");
      client.plain_allowed = true;
      return core::net::HttpClient::create(std::move(loop), client);
    };
  }
  void TearDown() override {
    upkeep_.reset();
    server_.reset();
    RecordsTest::TearDown();
  }

  /// A PACS: what `at_pacs_` holds by WADO-RS, and by QIDO-RS that it holds it.
  void answer(fakes::ServedConnection& connection, const std::string& head) {
    const std::lock_guard lock(mutex_);
    ++asked_;
    const std::string target = head.substr(4, head.find(" HTTP/") - 4);
    const auto last = target.find_last_of("/=");
    const auto found = at_pacs_.find(target.substr(last + 1));
    if (target.find('?') != target.npos) {
      const std::string json =
          found == at_pacs_.end()
              ? "[]"
              : core::cat(R"([{"00080018":{"vr":"UI","Value":[")", found->first, R"("]}}])");
      connection.answer(json, "Content-Type: application/dicom+json\r\n");
    } else if (found == at_pacs_.end()) {
      connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    } else {
      connection.answer(
          core::cat("--b\r\nContent-Type: application/dicom\r\n\r\n", found->second, "\r\n--b--"),
          "Content-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n");
    }
  }

  /// A Part 10 file taken in, with the offset of its data set; delivered, with `proof`.
  std::int64_t take_in(const std::string& study, const std::string& uid,
                       const std::string& data_set, const std::string& proof = "stored") {
    const std::string head = part10_head(uid);
    auto writer = held_->ingest().begin_object();
    EXPECT_TRUE(writer.ok());
    const std::string file = head + data_set;
    EXPECT_TRUE((*writer)->append(std::as_bytes(std::span(file.data(), file.size()))).ok());
    auto outcome = held_->ingest().store(
        {facts(study, uid), {}, head.size(), "CT1", "GATEWAY", "127.0.0.1"}, **writer);
    EXPECT_TRUE(outcome.ok());
    const std::int64_t row = count(
        core::cat("SELECT max(row) FROM dicom_instance WHERE sop_instance_uid = '", uid, "'"));
    if (!proof.empty() && outcome.ok() && *outcome == StoreOutcome::stored) {
      write([&](Connection& c) -> core::Status {
        GW_CHECK(c.run("DELETE FROM outbox WHERE kind = 'instance' AND subject = ?",
                       std::to_string(row)));
        return c.run(
            "INSERT INTO dicom_delivery (instance, uplink, proof, at) VALUES (?, 'pacs', ?, ?)",
            row, proof, kNow);
      });
      at_pacs(uid, file);
    }
    return row;
  }
  void at_pacs(const std::string& uid, const std::string& file) {
    const std::lock_guard lock(mutex_);
    at_pacs_[uid] = file;
  }
  void not_at_pacs(const std::string& uid) {
    const std::lock_guard lock(mutex_);
    at_pacs_.erase(uid);
  }
  std::string state(std::int64_t row) {
    return text(core::cat("SELECT state FROM dicom_instance WHERE row = ", row));
  }
  std::string object_of(std::int64_t row) {
    return text(core::cat("SELECT object_id FROM dicom_instance WHERE row = ", row));
  }
  std::string path_of(const std::string& object) {
    return core::cat(folder_, "/objects/", object.substr(34), "/", object);
  }
  void age(const std::string& study, int days) {
    const auto then =
        core::to_instant(std::chrono::system_clock::now() - std::chrono::hours(24 * days));
    write([&](Connection& c) -> core::Status {
      GW_CHECK(c.run("UPDATE dicom_study SET received_at = ? WHERE study_uid = ?", then, study));
      return c.run("UPDATE dicom_instance SET received_at = ? WHERE study_uid = ?", then, study);
    });
  }
  void damage(const std::string& object, std::streamoff at) {
    std::fstream file(path_of(object), std::ios::binary | std::ios::in | std::ios::out);
    ASSERT_TRUE(file.is_open());
    file.seekg(at);
    const char was = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(was ^ 1));
  }
  std::string content(std::int64_t row) {
    auto reader = held_->objects().open_object(object_of(row));
    if (!reader.ok()) return reader.error().message();
    std::string bytes((*reader)->size(), '\0');
    EXPECT_TRUE((*reader)->read(0, std::as_writable_bytes(std::span(bytes))).ok());
    return bytes;
  }
  void run() { upkeep_ = Upkeep::start(held_, files_, core::system_clock(), options_); }
  bool eventually(const std::function<bool()>& condition) { return fakes::eventually(condition); }
  Json retention() { return upkeep_->report()["retention"]; }
  Json scrub() { return upkeep_->report()["scrub"]; }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  std::mutex mutex_;
  std::map<std::string, std::string> at_pacs_;  // guarded by mutex_
  int asked_ = 0;                               // guarded by mutex_
  std::unique_ptr<fakes::TlsServer> server_;
  RoomyFiles files_;
  UpkeepOptions options_;
  std::unique_ptr<Upkeep> upkeep_;
};

}  // namespace gateway::sync
