// An uplink and a scripted server that does what real ones do on their bad days.
#pragma once

#include <boost/asio/io_context.hpp>
#include <mutex>

#include "sync/fhir_uplink.h"
#include "sync/stow_uplink.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {

class UplinksTest : public RecordsTest {
 protected:
  using Answer = std::function<void(fakes::ServedConnection&, const fakes::ServedRequest&)>;

  /// Every request is noted, then answered by `answer`.
  void serve(Answer answer) {
    server_ = std::make_unique<fakes::TlsServer>(
        fakes::TlsServerOptions{}, [this, answer](fakes::ServedConnection& connection) {
          while (auto request = connection.read_request()) {
            if (answer_probe(connection, *request)) continue;
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(*request);
            }
            answer(connection, *request);
          }
        });
  }
  std::shared_ptr<core::net::HttpClient> client() {
    core::net::HttpClientOptions options;
    options.url = core::cat("http://127.0.0.1:", server_->port(), "/base");
    options.plain_allowed = true;
    options.idle_timeout = core::Milliseconds(5'000);
    auto made = core::net::HttpClient::create(loop_.get_executor(), options);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return *made;
  }
  void TearDown() override {
    if (uplink_) uplink_->close();
    loop_.restart();
    loop_.poll();
    uplink_.reset();
    server_.reset();
    RecordsTest::TearDown();
  }
  void fhir(std::vector<std::string> pull = {}) {
    uplink_ = make_fhir_uplink({"his", core::Milliseconds(1'000), std::move(pull)}, client(), held_,
                               core::system_clock());
  }
  void stow() { uplink_ = make_stow_uplink("pacs", client(), held_); }

  std::vector<RowOutcome> deliver(std::vector<OutboxRow> rows) {
    return fakes::await(loop_, uplink_->deliver(std::move(rows)));
  }
  PullReport pull_all() { return fakes::await(loop_, uplink_->pull()); }

  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> lines;
    for (const auto& request : requests_)
      lines.push_back(request.head.substr(0, request.head.find(" HTTP/")));
    return lines;
  }
  fakes::ServedRequest last_request() {
    const std::lock_guard lock(mutex_);
    return requests_.back();
  }
  static void reply(fakes::ServedConnection& connection, std::string_view status,
                    std::string_view body,
                    std::string_view headers = "Content-Type: application/fhir+json\r\n") {
    connection.write(core::cat("HTTP/1.1 ", status, "\r\n", headers,
                               "Content-Length: ", body.size(), "\r\n\r\n", body));
  }
  /// What the uplink asks of the server at first contact: a batch is answered where `takes_batch_`,
  /// and every condition honoured.
  bool answer_probe(fakes::ServedConnection& connection, const fakes::ServedRequest& request) {
    const bool in_bundle = request.head.starts_with("POST /base/ ") &&
                           (request.body.find("Basic/") != std::string::npos ||
                            request.head.find("Content-Encoding: gzip") != std::string::npos);
    const bool alone = request.head.find(" /base/Basic/") != std::string::npos;
    if (!in_bundle && !alone && !request.head.starts_with("GET /base/metadata ")) return false;
    if (alone && request.head.starts_with("PUT") && takes_batch_) {
      const bool is_stale = request.head.find("If-Match") != std::string::npos;
      reply(connection, is_stale ? "412 Precondition Failed" : "201 Created", "");
    } else if (in_bundle && takes_batch_) {
      const bool is_stale = request.body.find("ifMatch") != std::string::npos;
      reply(connection, "200 OK",
            core::cat(R"({"resourceType":"Bundle","entry":[{"response":{"status":")",
                      is_stale ? "412" : "404", R"("}}]})"));
    } else {
      reply(connection, "404 Not Found", "");
    }
    return true;
  }
  /// One claimed row of a provisional patient.
  OutboxRow patient_row() {
    store(facts("1.2", "1.2.3"), "pixels");
    const Claim claimed = claim("his");
    EXPECT_EQ(claimed.rows.size(), 1u);
    return claimed.rows[0];
  }
  void agree(const OutboxRow& row, const std::string& remote_version, std::int64_t version) {
    write([&](Connection& c) {
      return put_base(c, "his", *parse_reference(row.subject), {remote_version, version});
    });
  }
  void change(const OutboxRow& row) {
    write([&](Connection& c) -> core::Status {
      const auto key = *parse_reference(row.subject);
      GW_TRY(auto held, read_resource(c, key));
      held->body.set("language", "es");
      return put_resource(c, key, held->body, "clinic", kNow).ok()
                 ? core::Status()
                 : core::Error(core::Code::internal, "put");
    });
  }

  bool takes_batch_ = false;
  boost::asio::io_context loop_;
  std::mutex mutex_;
  std::vector<fakes::ServedRequest> requests_;  // guarded by mutex_
  std::unique_ptr<fakes::TlsServer> server_;
  std::unique_ptr<Uplink> uplink_;
};

}  // namespace gateway::sync
