#include "daemon/api/uploads/upload_server.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "adapters/dicom/media.h"
#include "core/log.h"
#include "core/text.h"
#include "daemon/api/fhir/exchange.h"
#include "daemon/api/fhir/http_form.h"
#include "daemon/api/route_tree.h"
#include "daemon/blocking.h"
#include "sync/tus.h"
#include "sync/uploads.h"

namespace gateway::daemon {
namespace {

namespace tus = sync::tus;
using core::cat;
using core::Code;
using core::Error;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;
using sync::Upload;

constexpr std::size_t kMetadataMax = 4096;
constexpr std::size_t kPassedOverMax = 8U << 20;

HttpResponse plain(int status, std::string_view text = {}) {
  HttpResponse answer;
  answer.status = status;
  answer.headers = {{"Tus-Resumable", tus::kVersion}, {"Cache-Control", "no-store"}};
  if (text.empty()) return answer;
  answer.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  answer.body = cat(text, '\n');
  return answer;
}

HttpResponse refusal_of(const Error& error) {
  switch (error.code()) {
    case Code::not_found:
      return plain(404, error.message());
    case Code::exists:
      return plain(403, error.message());
    case Code::invalid:
      return plain(400, error.message());
    case Code::refused:
      return plain(409, error.message());
    case Code::corrupt:
      return plain(460, error.message());  // tus: Checksum Mismatch
    default:
      break;
  }
  const bool is_full = error.code() == Code::no_space;
  if (!is_full) core::log_warn("api", cat("an upload waits: ", error.message()));
  HttpResponse answer = plain(is_full ? 507 : 503, is_full ? error.message() : "try again later");
  answer.headers.emplace_back("Retry-After", is_full ? "60" : "5");
  return answer;
}

/// As if it had come by C-STORE.
core::Result<sync::StoreOutcome> take_file(
    std::shared_ptr<sync::Holdings> holdings, const sync::Uploader& from,
    const std::function<core::Result<std::span<const std::byte>>()>& next) {
  const auto import =
      adapters::dicom::MediaImport::begin(std::move(holdings), "", {from.client, from.address});
  while (true) {
    GW_TRY(const auto bytes, next());
    if (bytes.empty()) return import->finish();
    GW_CHECK(import->append(bytes));
  }
}

class Server final : public UploadServer {
 public:
  Server(const sync::HoldingsDoor& door, const core::Clock& clock)
      : door_(door), clock_(clock), uploads_(std::make_shared<sync::Uploads>(clock, take_file)) {}

  Awaitable<HttpResponse> answer(HttpRequest http, const HttpPeer& peer,
                                 core::net::BodyArrival& body, const ApiClient* client,
                                 std::string host) override {
    if (client == nullptr) {
      core::log_warn("api", cat("a request from ", peer.address, " proved nobody; see docs"));
      co_return plain(401, "show a client certificate or a bearer token this gateway knows");
    }
    auto holdings = door_.get();
    if (!holdings) co_return plain(503, "the gateway is LOCKED; clinic-gateway status says why");
    const std::string_view other = header(http, "X-HTTP-Method-Override");
    if (!other.empty()) http.method = other;
    if (!client->may('c', "ImagingStudy")) {
      note_refused(*holdings, http.method, *client, peer);
      co_return plain(403, "the client needs the scope system/ImagingStudy.c");
    }
    if (http.method == "OPTIONS") co_return abilities();
    if (header(http, "Tus-Resumable") != tus::kVersion) {
      HttpResponse wrong = plain(412, "this is tus 1.0.0; send Tus-Resumable: 1.0.0");
      wrong.headers.emplace_back("Tus-Version", tus::kVersion);
      co_return wrong;
    }
    std::string_view id = path_of(http).substr(kBasePath.size());
    if (id.starts_with('/')) id.remove_prefix(1);
    const Call call{
        std::move(holdings), {client->name, peer.address}, std::string(id), std::move(host)};
    if (call.id.empty() && http.method == "POST") co_return co_await create(call, http);
    if (!call.id.empty() && http.method == "HEAD") co_return co_await tell(call);
    if (!call.id.empty() && http.method == "PATCH") co_return co_await take(call, http, body);
    if (!call.id.empty() && http.method == "DELETE") co_return co_await remove(call);
    co_return plain(405, "POST here creates an upload; it takes HEAD, PATCH and DELETE");
  }

 private:
  struct Call {
    std::shared_ptr<sync::Holdings> holdings;
    sync::Uploader from;
    std::string id;
    std::string host;
  };
  using Found = core::Result<Upload>;

  static std::string_view header(const HttpRequest& http, std::string_view name) {
    return fhir::header_of(http.headers, name);
  }

  static HttpResponse abilities() {
    HttpResponse answer = plain(204);
    answer.headers.emplace_back("Tus-Version", tus::kVersion);
    answer.headers.emplace_back("Tus-Extension", "creation,expiration,termination,concatenation");
    answer.headers.emplace_back("Tus-Max-Size", cat(sync::kUploadMax));
    return answer;
  }

  Awaitable<HttpResponse> create(const Call& call, const HttpRequest& http) {
    const std::string metadata(header(http, "Upload-Metadata"));
    const std::string concat(header(http, "Upload-Concat"));
    if (metadata.size() > kMetadataMax) co_return plain(400, "Upload-Metadata is too long");
    if (const auto paths = tus::joined_paths(concat))
      co_return co_await join(call, *paths, metadata, concat);
    if (!concat.empty() && concat != "partial")
      co_return plain(400, "Upload-Concat is partial, or final; and what is joined");
    const auto length = tus::count_of(header(http, "Upload-Length"));
    if (!length || *length == 0)
      co_return plain(400, "Upload-Length must say how many bytes the file has");
    if (*length > sync::kUploadMax) co_return plain(413, "the file is too large; see Tus-Max-Size");
    auto work = [uploads = uploads_, call, bytes = *length, metadata, concat] {
      return uploads->create(*call.holdings, call.from.client, bytes, metadata, concat);
    };
    Found made = co_await writing_.run(std::move(work));
    co_return made.ok() ? created(call, *made) : refusal_of(made.error());
  }

  Awaitable<HttpResponse> join(const Call& call, const std::vector<std::string>& paths,
                               const std::string& metadata, const std::string& concat) {
    std::vector<std::string> ids;
    for (const std::string& path : paths) ids.push_back(path.substr(path.rfind('/') + 1));
    if (ids.empty()) co_return plain(400, "Upload-Concat names nothing that is to be joined");
    auto work = [uploads = uploads_, call, ids, metadata, concat] {
      return uploads->join(*call.holdings, call.from.client, ids, metadata, concat);
    };
    Found joined = co_await writing_.run(std::move(work));
    if (!joined.ok()) co_return refusal_of(joined.error());
    Call whole = call;
    whole.id = joined->id;
    Found stored = co_await store(whole);
    co_return stored.ok() ? created(call, *stored) : refusal_of_whole(stored.error());
  }

  HttpResponse created(const Call& call, const Upload& upload) const {
    HttpResponse answer = plain(201);
    answer.headers.emplace_back("Location", cat(call.host, kBasePath, '/', upload.id));
    answer.headers.emplace_back("Upload-Expires", fhir::http_date(upload.expires_at));
    return answer;
  }

  Awaitable<HttpResponse> tell(const Call& call) {
    auto work = [uploads = uploads_, call] {
      return uploads->halt(*call.holdings, call.from.client, call.id);
    };
    Found found = co_await writing_.run(std::move(work));
    if (!found.ok()) co_return refusal_of(found.error());
    if (is_to_be_stored(*found)) {
      Found stored = co_await store(call);
      if (!stored.ok()) co_return refusal_of_whole(stored.error());
    }
    HttpResponse answer = plain(200);
    add_state(answer, *found);
    answer.headers.emplace_back("Upload-Length", cat(found->length));
    if (!found->metadata.empty()) answer.headers.emplace_back("Upload-Metadata", found->metadata);
    if (!found->concat.empty()) answer.headers.emplace_back("Upload-Concat", found->concat);
    co_return answer;
  }

  /// It sends nothing before it is told to.
  static bool asks_first(const HttpRequest& http) { return !header(http, "Expect").empty(); }

  /// Closing before unread bytes resets the connection, and the answer would be lost with it.
  static Awaitable<void> pass_over(core::net::BodyArrival& body) {
    for (std::size_t left = kPassedOverMax; left > 0;) {
      auto piece = co_await body.next();
      if (!piece.ok() || piece->empty()) co_return;
      left -= std::min(left, piece->size());
    }
  }

  Awaitable<HttpResponse> take(const Call& call, const HttpRequest& http,
                               core::net::BodyArrival& body) {
    if (header(http, "Content-Type") != tus::kBytesType)
      co_return plain(415, "PATCH takes application/offset+octet-stream");
    const auto offset = tus::count_of(header(http, "Upload-Offset"));
    if (!offset) co_return plain(400, "Upload-Offset must say where the bytes belong");
    auto resume = [uploads = uploads_, call, at = *offset] {
      return uploads->resume(call.holdings, call.from.client, call.id, at);
    };
    const auto resumed = co_await writing_.run(std::move(resume));
    if (!resumed.ok()) {
      if (!asks_first(http)) co_await pass_over(body);
      co_return refusal_of(resumed.error());
    }
    const std::shared_ptr<sync::UploadStream>& stream = *resumed;
    const core::Status taken = co_await take_bytes(stream, body);
    auto end = [uploads = uploads_, call, stream] {
      return uploads->end(*call.holdings, call.from.client, *stream);
    };
    Found found = co_await writing_.run(std::move(end));
    if (!taken.ok()) {
      co_await pass_over(body);
      co_return refusal_of(taken.error());
    }
    if (!found.ok()) co_return refusal_of(found.error());
    if (is_to_be_stored(*found)) {
      Found stored = co_await store(call);
      if (!stored.ok()) co_return refusal_of_whole(stored.error());
    }
    HttpResponse answer = plain(204);
    add_state(answer, *found);
    co_return answer;
  }

  Awaitable<core::Status> take_bytes(std::shared_ptr<sync::UploadStream> stream,
                                     core::net::BodyArrival& body) {
    while (true) {
      auto piece = co_await body.next();
      // What came before the connection broke counts all the same.
      if (!piece.ok() || piece->empty()) co_return core::Status();
      auto append = [stream, bytes = std::move(*piece)] {
        return stream->append(std::as_bytes(std::span(bytes)));
      };
      const core::Status kept = co_await writing_.run(std::move(append));
      if (!kept.ok()) co_return kept;
    }
  }

  Awaitable<HttpResponse> remove(const Call& call) {
    auto work = [uploads = uploads_, call] {
      return uploads->remove(*call.holdings, call.from.client, call.id);
    };
    const core::Status removed = co_await writing_.run(std::move(work));
    co_return removed.ok() ? plain(204) : refusal_of(removed.error());
  }

  static bool is_to_be_stored(const Upload& upload) {
    return upload.is_whole() && !upload.is_partial() && !upload.stored;
  }

  Awaitable<Found> store(const Call& call) {
    auto work = [uploads = uploads_, call] {
      return uploads->store(call.holdings, call.from, call.id);
    };
    Found stored = co_await storing_.run(std::move(work));
    co_return stored;
  }

  static HttpResponse refusal_of_whole(const Error& error) {
    return error.code() == Code::invalid ? plain(422, error.message()) : refusal_of(error);
  }

  static void add_state(HttpResponse& answer, const Upload& upload) {
    answer.headers.emplace_back("Upload-Offset", cat(upload.received));
    answer.headers.emplace_back("Upload-Expires", fhir::http_date(upload.expires_at));
  }

  /// Who tried what they may not do; the answer stands, whatever becomes of the note.
  void note_refused(sync::Holdings& holdings, const std::string& method, const ApiClient& client,
                    const HttpPeer& peer) const {
    crypto::AuditEntry entry{.at = clock_.wall(),
                             .actor = cat("client:", client.name),
                             .action = "refuse",
                             .resource = cat(method, " ", kBasePath),
                             .patient = "",
                             .source = peer.address,
                             .outcome = "failed: forbidden"};
    auto note = [entry = std::move(entry), &audit = holdings.audit()](
                    crypto::Connection& connection) { return audit.append(connection, entry); };
    holdings.database().write_async(std::move(note), [](const core::Status&) {});
  }

  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::shared_ptr<sync::Uploads> uploads_;
  BlockingLane writing_;
  BlockingLane storing_;  // takes its time, while others are written
};

}  // namespace

std::unique_ptr<UploadServer> UploadServer::create(const sync::HoldingsDoor& door,
                                                   const core::Clock& clock) {
  return std::make_unique<Server>(door, clock);
}

}  // namespace gateway::daemon
