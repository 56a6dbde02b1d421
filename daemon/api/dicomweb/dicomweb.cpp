#include "daemon/api/dicomweb/dicomweb.h"

#include <algorithm>
#include <numeric>

#include "adapters/dicom/held_instance.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "daemon/api/dicomweb/accept.h"
#include "daemon/api/dicomweb/bodies.h"
#include "daemon/api/dicomweb/place.h"
#include "daemon/api/fhir/http_form.h"
#include "daemon/api/route_tree.h"
#include "sync/archive.h"
#include "sync/patient_trail.h"

namespace gateway::daemon::dicomweb {
namespace {

using adapters::dicom::HeldInstance;
using adapters::dicom::PictureFormat;
using adapters::dicom::WebLevel;
using core::cat;
using core::Code;
using core::Error;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;
using sync::WishedInstance;

constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";
constexpr char kDicomJson[] = "application/dicom+json";
constexpr std::size_t kInstancesMax = 65'535;
constexpr std::size_t kPieceBytes = 1u << 20;
constexpr std::size_t kAloneMax = 16u << 20;
constexpr std::uint32_t kThumbnailEdge = 160;

HttpResponse text_answer(int status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  if (status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"clinic-gateway\"");
  response.body = cat(text, "\n");
  return response;
}

HttpResponse refusal_of(const Error& error) {
  switch (error.code()) {
    case Code::invalid:
      return text_answer(400, error.message());
    case Code::not_found:
      return text_answer(404, error.message());
    case Code::refused:
      return text_answer(406, error.message());
    case Code::busy:
      return text_answer(503, "the gateway is busy; try again");
    default:
      core::log_error("api", cat("DICOMweb: ", core::to_string(error.code())));
      return text_answer(500, "the gateway could not do it; see its log");
  }
}

HttpResponse good_answer(std::string content_type) {
  HttpResponse response;
  response.status = 200;
  response.headers = {{"Content-Type", std::move(content_type)}, {"Cache-Control", "no-store"}};
  return response;
}

std::string multipart(std::string_view part, const std::string& boundary) {
  return cat("multipart/related; type=\"", part, "\"; boundary=", boundary);
}

/// One request, once it is known whose it is.
struct Call {
  std::shared_ptr<sync::Holdings> holdings;
  Place place;
  sync::QueryPairs query;
  std::vector<MediaRange> accepted;
  std::string base;

  const std::string& issuer() const { return holdings->options().ingest.patient_id_issuer; }
};

core::Result<HttpResponse> search(const Call& call) {
  GW_TRY(const Search search, search_of(call.place, call.query));
  if (!choose(call.accepted, {kDicomJson, "application/json"}))
    return Error(Code::refused, "searches are answered as application/dicom+json");
  GW_TRY(const auto found, adapters::dicom::query_archive(*call.holdings, search.query, call.base));
  HttpResponse response = good_answer(kDicomJson);
  if (found.are_more) {
    response.headers.emplace_back(
        "Warning", "299 clinic-gateway \"there are more matches: ask again with offset\"");
  }
  if (search.fuzzy) {
    response.headers.emplace_back(
        "Warning",
        "299 clinic-gateway \"The fuzzymatching parameter is not supported. Only literal matching "
        "has been performed.\"");
  }
  if (found.matches.empty()) {
    response.status = 204;
    return response;
  }
  response.body = "[";
  for (const core::Json& match : found.matches)
    response.body += cat(response.body.size() > 1 ? "," : "", match.dump());
  response.body += "]";
  return response;
}

/// What the place names and is here. Code::not_found says what else it may be.
core::Result<std::vector<WishedInstance>> named(const Call& call) {
  sync::ArchiveWish wish;
  wish.study_uids = {call.place.study_uid};
  if (!call.place.series_uid.empty()) wish.series_uids = {call.place.series_uid};
  GW_TRY(auto list, call.holdings->database().read_value<std::vector<WishedInstance>>(
                        [&](crypto::Connection& connection) {
                          return sync::wished_instances(connection, wish, kInstancesMax,
                                                        call.issuer());
                        }));
  if (call.place.level == WebLevel::instance) {
    std::erase_if(list, [&](const WishedInstance& one) {
      return one.sop_instance_uid != call.place.sop_instance_uid;
    });
  }
  if (list.empty()) return Error(Code::not_found, "the gateway holds nothing of that name");
  std::erase_if(list, [](const WishedInstance& one) { return !one.is_held; });
  if (list.empty())
    return Error(Code::not_found, "the images are not here any more; the PACS has them");
  return list;
}

/// As the body, not as a part: it must be whole before the answer begins, since nothing would show
/// that its end is missing.
core::Result<HttpResponse> give_alone(const Call& call, const Source& source,
                                      const GivenInstance& given) {
  GW_TRY(const auto file, adapters::dicom::MediaExport::open(*call.holdings, source.clock,
                                                             given.row, given.transfer_syntax));
  HttpResponse response =
      good_answer(cat("application/dicom; transfer-syntax=", given.transfer_syntax));
  while (true) {
    GW_TRY(const std::string piece, file->read(response.body.size(), kPieceBytes));
    if (piece.empty()) return response;
    response.body += piece;
    if (response.body.size() > kAloneMax)
      return Error(Code::refused,
                   "the instance is too long to come alone; accept multipart/related; "
                   "type=\"application/dicom\"");
  }
}

core::Result<HttpResponse> give_instances(const Call& call, Source source) {
  GW_TRY(const auto list, named(call));
  const auto as_parts = instance_syntaxes(call.accepted, true);
  const auto alone = instance_syntaxes(call.accepted, false);
  const bool is_alone = call.place.level == WebLevel::instance && !alone.empty() &&
                        (as_parts.empty() || call.accepted.front().type == "application/dicom");
  std::vector<GivenInstance> given;
  for (const WishedInstance& one : list) {
    const std::string& held = one.syntax.transfer_syntax_uid;
    for (const std::string& wanted : is_alone ? alone : as_parts) {
      const std::string& syntax = wanted == "*" ? held : wanted;
      if (!adapters::dicom::can_give(held, syntax)) continue;
      given.push_back({one.row, syntax});
      break;
    }
  }
  if (given.empty())
    return Error(Code::refused,
                 "the images cannot be given in what you accept; multipart/related; "
                 "type=\"application/dicom\"; transfer-syntax=* gives them as they are held");
  if (is_alone) return give_alone(call, source, given.front());
  const std::string boundary = cat("gw-", core::new_uuid());
  HttpResponse response = good_answer(multipart("application/dicom", boundary));
  if (given.size() < list.size()) {
    response.status = 206;
    response.headers.emplace_back("Warning",
                                  cat("299 clinic-gateway \"", list.size() - given.size(),
                                      " instances cannot be given in what you accept\""));
  }
  response.stream = stream_instances(std::move(source), std::move(given), boundary);
  return response;
}

core::Result<HttpResponse> give_metadata(const Call& call, Source source) {
  if (!choose(call.accepted, {kDicomJson, "application/json"}))
    return Error(Code::refused, "metadata is answered as application/dicom+json");
  GW_TRY(const auto list, named(call));
  std::vector<std::int64_t> rows;
  for (const WishedInstance& one : list) rows.push_back(one.row);
  HttpResponse response = good_answer(kDicomJson);
  response.stream = stream_metadata(std::move(source), std::move(rows), call.base);
  return response;
}

core::Result<HttpResponse> give_frames(const Call& call, std::unique_ptr<HeldInstance> instance) {
  const std::string& held = instance->about().transfer_syntax_uid;
  GW_TRY(const std::uint32_t count, instance->frames());
  std::vector<std::uint32_t> frames = call.place.frames;
  if (frames.empty()) {
    frames.resize(count);
    std::iota(frames.begin(), frames.end(), 1u);
  }
  if (*std::max_element(frames.begin(), frames.end()) > count)
    return Error(Code::not_found, cat("the instance has frames 1 to ", count));
  const std::string media_type = adapters::dicom::frame_media_type(held);
  const auto form =
      frame_form(call.accepted, held, media_type, adapters::dicom::can_give(held, kExplicitLittle));
  if (!form)
    return Error(Code::refused,
                 cat("frames of this image come as multipart/related; type=\"", media_type,
                     "\" or, where the gateway decodes it, "
                     "\"application/octet-stream\""));
  const bool as_held = *form == FrameForm::as_held;
  const std::string type = as_held ? media_type : "application/octet-stream";
  const std::string boundary = cat("gw-", core::new_uuid());
  HttpResponse response = good_answer(multipart(type, boundary));
  response.stream =
      stream_frames(std::move(instance), std::move(frames), as_held,
                    cat(type, "; transfer-syntax=", as_held ? held : kExplicitLittle), boundary);
  return response;
}

core::Result<HttpResponse> give_value(const Call& call, std::unique_ptr<HeldInstance> instance) {
  constexpr char kPixels[] = "7FE00010";
  const std::string& held = instance->about().transfer_syntax_uid;
  // Compressed pixels have no value of their own, but frames (PS3.18 8.7.3.3.2).
  if (call.place.value == kPixels &&
      adapters::dicom::frame_media_type(held) != "application/octet-stream")
    return give_frames(call, std::move(instance));
  GW_CHECK(instance->bulk_size(call.place.value));
  if (!frame_form(call.accepted, kExplicitLittle, "application/octet-stream", false))
    return Error(Code::refused,
                 "values come as multipart/related; type=\"application/octet-stream\"");
  const std::string boundary = cat("gw-", core::new_uuid());
  HttpResponse response = good_answer(multipart("application/octet-stream", boundary));
  response.stream = stream_value(std::move(instance), call.place.value, boundary);
  return response;
}

core::Result<HttpResponse> give_picture(const Call& call, HeldInstance& instance) {
  const auto type = choose(call.accepted, {"image/jpeg", "image/png"});
  if (!type) return Error(Code::refused, "pictures come as image/jpeg or image/png");
  const std::uint32_t frame = call.place.frames.empty() ? 1 : call.place.frames.front();
  const auto format = *type == "image/png" ? PictureFormat::png : PictureFormat::jpeg;
  GW_TRY(std::string picture,
         instance.picture(frame, format, call.place.kind == Kind::thumbnail ? kThumbnailEdge : 0));
  HttpResponse response = good_answer(*type);
  response.body = std::move(picture);
  return response;
}

core::Result<HttpResponse> give_part(const Call& call, Source source) {
  GW_TRY(const auto list, named(call));
  // Of several instances the one in the middle shows most.
  GW_TRY(auto instance,
         HeldInstance::open(*call.holdings, source.clock, list[list.size() / 2].row));
  if (call.place.kind == Kind::frames) return give_frames(call, std::move(instance));
  if (call.place.kind == Kind::bulk) return give_value(call, std::move(instance));
  return give_picture(call, *instance);
}

core::Result<HttpResponse> respond(const Call& call, Source source) {
  switch (call.place.kind) {
    case Kind::search:
      return search(call);
    case Kind::instances:
      return give_instances(call, std::move(source));
    case Kind::metadata:
      return give_metadata(call, std::move(source));
    default:
      return give_part(call, std::move(source));
  }
}

class Web final : public DicomWeb {
 public:
  Web(const sync::HoldingsDoor& door, const core::Clock& clock, std::shared_ptr<ReadTrail> trail)
      : door_(door), clock_(clock), trail_(std::move(trail)), memory_(make_memory()) {}

  Awaitable<HttpResponse> answer(HttpRequest http, const HttpPeer& peer, const ApiClient* client,
                                 std::string host) override {
    co_return respond_to(http, peer, client, host);
  }

 private:
  HttpResponse respond_to(const HttpRequest& http, const HttpPeer& peer, const ApiClient* client,
                          const std::string& host) {
    if (client == nullptr) {
      core::log_warn("api", cat("a request from ", peer.address, " proved nobody; see docs"));
      return text_answer(401, "show a client certificate or a bearer token this gateway knows");
    }
    if (http.method != "GET" && http.method != "HEAD")
      return text_answer(405, "DICOMweb is for reading here: GET and HEAD");
    const std::string_view path = path_of(http).substr(std::string_view(kBasePath).size());
    auto place = place_of(path);
    if (!place.ok()) return refusal_of(place.error());
    const std::string_view target = http.target;
    const auto question = target.find('?');
    auto query = sync::parse_query_pairs(question == target.npos ? std::string_view()
                                                                 : target.substr(question + 1));
    if (!query.ok()) return refusal_of(query.error());
    const bool is_search = place->kind == Kind::search;
    auto holdings = door_.get();
    if (!holdings) return text_answer(503, "the gateway is LOCKED; clinic-gateway status says why");
    auto accepted = accepted_by(http, *query);
    const Call call{std::move(holdings), std::move(*place), std::move(*query), std::move(accepted),
                    host + kBasePath};
    const std::string what = is_search ? std::string(target.substr(0, kTargetMax)) : "";
    if (!client->may(is_search ? 's' : 'r', "ImagingStudy")) {
      (void)note(call, *client, peer, "refuse", std::string(path.substr(0, kTargetMax)));
      return text_answer(
          403, cat("the client needs the scope system/ImagingStudy.", is_search ? "s" : "r"));
    }
    auto response = respond(call, {call.holdings, clock_, memory_});
    if (!response.ok()) return refusal_of(response.error());
    if (!note(call, *client, peer, is_search ? "search" : "retrieve", what))
      return text_answer(503, "the gateway is busy; try again");
    return std::move(*response);
  }

  static std::vector<MediaRange> accepted_by(const HttpRequest& http,
                                             const sync::QueryPairs& query) {
    for (const auto& [name, value] : query) {
      if (name == "accept") return parse_accept(value);  // PS3.18 8.3.3.1
    }
    return parse_accept(fhir::header_of(http.headers, "Accept"));
  }

  /// Who read what, before it is shown. `what` empty: the study, and whose it is.
  bool note(const Call& call, const ApiClient& client, const HttpPeer& peer, std::string action,
            std::string what) {
    crypto::AuditEntry entry{.at = clock_.wall(),
                             .actor = cat("client:", client.name),
                             .action = std::move(action),
                             .resource = std::move(what),
                             .patient = "",
                             .source = peer.address,
                             .outcome = "success"};
    if (entry.action == "refuse") entry.outcome = "forbidden";
    if (entry.resource.empty()) {
      const auto study = call.holdings->database().read_value<sync::TrailedStudy>(
          [&](crypto::Connection& connection) {
            return sync::trail_study(connection, call.place.study_uid);
          });
      if (!study.ok()) return false;
      entry.resource = study->resource;
      entry.patient = study->patient;
    }
    return trail_->note(call.holdings->database(), call.holdings->audit(), {std::move(entry)});
  }

  static constexpr std::size_t kTargetMax = 500;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::shared_ptr<ReadTrail> trail_;
  const std::shared_ptr<Memory> memory_;
};

}  // namespace

std::unique_ptr<DicomWeb> DicomWeb::create(const sync::HoldingsDoor& door, const core::Clock& clock,
                                           std::shared_ptr<ReadTrail> trail) {
  return std::make_unique<Web>(door, clock, std::move(trail));
}

}  // namespace gateway::daemon::dicomweb
