// Images above a size by resumable upload, against a server that does what links and servers do.
#include "sync/resumable_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>

#include "sync/data_set_digest.h"
#include "sync/tus.h"
#include "tests/sync/uplinks_fixture.h"

namespace gateway::sync {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMegabyte = 1U << 20;

class ResumableSenderTest : public UplinksTest {
 protected:
  enum class Deed { nothing, answered, hangs_up };
  /// What `meddle` does to a request in the server's place.
  using Meddle = std::function<Deed(fakes::ServedConnection&, const fakes::ServedRequest&)>;
  static Deed leave_alone(fakes::ServedConnection&, const fakes::ServedRequest&) {
    return Deed::nothing;
  }
  /// A server of the protocol.
  void serve_uploads(std::string extensions, Meddle meddle = leave_alone) {
    server_ = std::make_unique<fakes::TlsServer>(
        fakes::TlsServerOptions{}, [this, extensions, meddle](fakes::ServedConnection& connection) {
          while (auto request = connection.read_request()) {
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back({request->head, ""});
            }
            const Deed done = meddle(connection, *request);
            if (done == Deed::hangs_up) return;
            if (done == Deed::nothing) answer(connection, *request, extensions);
          }
        });
  }
  void answer(fakes::ServedConnection& connection, const fakes::ServedRequest& request,
              const std::string& extensions) {
    if (request.head.starts_with("OPTIONS")) {
      reply(connection, "204 No Content", "", core::cat("Tus-Extension: ", extensions, "\r\n"));
    } else if (request.head.starts_with("POST")) {
      reply(connection, "201 Created", "",
            core::cat("Location: http://elsewhere.example", create(request), "\r\n"));
    } else if (const auto size = take(request)) {
      reply(connection, request.head.starts_with("PATCH") ? "204 No Content" : "200 OK", "",
            core::cat("Upload-Offset: ", *size, "\r\n"));
    } else {
      reply(connection, "404 Not Found", "", "");
    }
  }
  std::string create(const fakes::ServedRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::string path = core::cat("/uploads/", files_.size());
    std::string& file = files_[path];
    const auto joined = tus::joined_paths(header(request, "Upload-Concat"));
    for (const std::string& part : joined.value_or(std::vector<std::string>()))
      file += files_.at(part);
    if (joined) whole_ = file;
    return path;
  }
  std::optional<std::size_t> take(const fakes::ServedRequest& request) {
    const std::lock_guard lock(mutex_);
    const auto file = files_.find(path_of(request));
    if (file == files_.end()) return std::nullopt;
    if (request.head.starts_with("PATCH")) {
      EXPECT_EQ(header(request, "Upload-Offset"), std::to_string(file->second.size()));
      file->second += request.body;
      bytes_ += request.body.size();
    }
    return file->second.size();
  }
  static std::string path_of(const fakes::ServedRequest& request) {
    const auto begin = request.head.find(' ') + 1;
    return request.head.substr(begin, request.head.find(' ', begin) - begin);
  }
  static std::string header(const fakes::ServedRequest& request, const std::string& name) {
    const auto at = request.head.find(core::cat("\r\n", name, ": "));
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return request.head.substr(begin, request.head.find("\r\n", begin) - begin);
  }

  void begin(std::uint64_t over = kMegabyte) {
    core::net::HttpClientOptions options;
    options.url = core::cat("http://127.0.0.1:", server_->port());
    auto hub = core::net::HttpClient::create(loop_.get_executor(), options);
    ASSERT_TRUE(hub.ok()) << hub.error().message();
    auto sender =
        ResumableSender::create("pacs", {*hub, "/uploads", over}, held_, core::system_clock());
    uplink_ = make_stow_uplink("pacs", client(), held_, {std::move(sender), false});
  }
  static std::string pixels(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2'654'435'761U >> 13);
    return bytes;
  }
  OutboxRow row_of(const std::string& bytes) {
    store(facts("1.2", "1.2.3"), bytes);
    return claim("pacs").rows.at(0);
  }
  std::string file(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return files_[core::cat("/uploads/", id)];
  }

  std::map<std::string, std::string> files_;  // guarded by mutex_
  std::string whole_;                         // guarded by mutex_: what was joined
  std::size_t bytes_ = 0;                     // guarded by mutex_: taken in
};

TEST_F(ResumableSenderTest, AServerThatJoinsNothingGetsItAsOneUploadInPieces) {
  serve_uploads("creation,termination");
  begin();
  const std::string bytes = pixels(9 * kMegabyte + 3);
  const auto outcome = deliver({row_of(bytes)})[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(file("0"), bytes);
  EXPECT_EQ(count("SELECT count(*) FROM resumable_segment"), 0);
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(tus::metadata_value(header(requests_[1], "Upload-Metadata"), tus::kDigestKey)
                .value_or("")
                .size(),
            64u);
}

TEST_F(ResumableSenderTest, AServerThatJoinsGetsItOverSeveralConnectionsAtOnce) {
  serve_uploads("creation,concatenation");
  begin();
  const std::string bytes = pixels(13 * kMegabyte + 3);
  const auto outcome = deliver({row_of(bytes)})[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(whole_, bytes);
  EXPECT_EQ(bytes_, bytes.size());
}

TEST_F(ResumableSenderTest, WhatIsSmallGoesByStow) {
  serve_uploads("creation", [](auto& connection, const auto&) {
    reply(connection, "500 Internal Server Error", "", "");
    return Deed::answered;
  });
  begin();
  (void)deliver({row_of("pixels")});
  EXPECT_EQ(heads().front(), "POST /base/studies");
}

TEST_F(ResumableSenderTest, AfterACutAndARestartOnlyTheRestGoes) {
  std::atomic<bool> is_gone = false;
  bool was_cut = false;
  serve_uploads("creation", [&](auto&, const auto& request) {
    if (is_gone) return Deed::hangs_up;
    const std::lock_guard lock(mutex_);
    if (!request.head.starts_with("PATCH") || was_cut) return Deed::nothing;
    std::string& file = files_[path_of(request)];
    if (file.empty()) return Deed::nothing;
    // Half of what came is kept, and the link goes without an answer.
    file += request.body.substr(0, request.body.size() / 2);
    bytes_ += request.body.size() / 2;
    was_cut = is_gone = true;
    return Deed::hangs_up;
  });
  begin();
  const std::string bytes = pixels(10 * kMegabyte);
  const OutboxRow row = row_of(bytes);
  EXPECT_EQ(deliver({row})[0].result, Delivery::begun);
  EXPECT_NE(deliver({row})[0].result, Delivery::begun);
  is_gone = false;
  begin();
  const auto outcome = deliver({row})[0];
  EXPECT_EQ(outcome.result, Delivery::delivered) << outcome.reason;
  EXPECT_EQ(file("0"), bytes);
  EXPECT_EQ(bytes_, bytes.size());
}

TEST_F(ResumableSenderTest, AnUploadThatExpiredBeginsAnew) {
  serve_uploads("creation");
  begin();
  const std::string bytes = pixels(2 * kMegabyte);
  const OutboxRow row = row_of(bytes);
  write([&](Connection& c) {
    return c.run(
        "INSERT INTO resumable_segment (uplink, instance, begin, length, path)"
        " VALUES ('pacs', CAST(? AS INTEGER), 0, ?, '/uploads/gone')",
        row.subject, bytes.size());
  });
  EXPECT_EQ(deliver({row})[0].result, Delivery::delivered);
  EXPECT_EQ(file("0"), bytes);
  EXPECT_EQ(heads()[1], "HEAD /uploads/gone");
}

TEST_F(ResumableSenderTest, EachRefusalHasItsOwnConsequence) {
  const std::vector<std::pair<const char*, Delivery>> cases = {
      {"401 Unauthorized", Delivery::unreached},      {"404 Not Found", Delivery::failed},
      {"422 Unprocessable", Delivery::refused},       {"460 Checksum Mismatch", Delivery::failed},
      {"503 Unavailable", Delivery::unreached},       {"507 Insufficient Storage", Delivery::begun},
      {"500 Internal Server Error", Delivery::failed}};
  for (const auto& [status, expected] : cases) {
    serve_uploads("creation", [status = status](auto& connection, const auto& request) {
      if (!request.head.starts_with("PATCH")) return Deed::nothing;
      reply(connection, status, "", "");
      return Deed::answered;
    });
    begin();
    EXPECT_EQ(deliver({row_of(pixels(2 * kMegabyte))})[0].result, expected) << status;
    TearDown();
    SetUp();
    files_.clear();
  }
}

TEST_F(ResumableSenderTest, AUrlThatIsNoHubSaysWhatToCheck) {
  serve_uploads("", [](auto& connection, const auto&) {
    reply(connection, "405 Method Not Allowed", "", "");
    return Deed::answered;
  });
  begin();
  const auto outcome = deliver({row_of(pixels(2 * kMegabyte))})[0];
  EXPECT_EQ(outcome.result, Delivery::unreached);
  EXPECT_THAT(outcome.reason, HasSubstr("check resumable_url"));
}

}  // namespace
}  // namespace gateway::sync
