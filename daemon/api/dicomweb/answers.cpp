#include "daemon/api/dicomweb/answers.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "adapters/dicom/held_instance.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/archive.h"

namespace gateway::daemon::dicomweb {
namespace {

using adapters::dicom::HeldInstance;
using adapters::dicom::PictureFormat;
using adapters::dicom::WebLevel;
using core::cat;
using core::Code;
using core::Error;
using core::net::HttpResponse;
using sync::WishedInstance;

constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";
constexpr char kDicomJson[] = "application/dicom+json";
constexpr std::size_t kInstancesMax = 65'535;
constexpr std::size_t kPieceBytes = 1u << 20;
constexpr std::size_t kAloneMax = 16u << 20;
constexpr std::uint32_t kThumbnailEdge = 160;
constexpr std::size_t kPictureTriesMax = 8;
constexpr std::chrono::seconds kSearchPatience{20};

HttpResponse good_answer(std::string content_type) {
  HttpResponse response;
  response.status = 200;
  response.headers = {{"Content-Type", std::move(content_type)}, {"Cache-Control", "no-store"}};
  return response;
}

std::string multipart(std::string_view part, const std::string& boundary) {
  return cat("multipart/related; type=\"", part, "\"; boundary=", boundary);
}

/// A body made already; a long one counts until it is sent.
void put_body(HttpResponse& response, Memory& memory, std::string body) {
  if (body.size() > kPieceBytes)
    response.stream = stream_whole(memory, std::move(body));
  else
    response.body = std::move(body);
}

core::Result<HttpResponse> search(const Call& call, const core::Clock& clock) {
  GW_TRY(const Search search, search_of(call.place, call.query));
  if (!choose(call.accepted, {kDicomJson, "application/json"}))
    return Error(Code::refused, "searches are answered as application/dicom+json");
  const auto until = clock.monotonic() + kSearchPatience;
  const auto is_late = [&] { return clock.monotonic() >= until; };
  GW_TRY(const auto found,
         adapters::dicom::query_archive(*call.holdings, search.query, call.base, is_late));
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
  std::string body;
  while (true) {
    GW_TRY(const std::string piece, file->read(body.size(), kPieceBytes));
    if (piece.empty()) break;
    body += piece;
    if (body.size() > kAloneMax)
      return Error(Code::refused,
                   "the instance is too long to come alone; accept multipart/related; "
                   "type=\"application/dicom\"");
  }
  put_body(response, *source.memory, std::move(body));
  return response;
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

core::Result<HttpResponse> give_frames(const Call& call, OpenInstance open) {
  const std::string& held = open.instance->about().transfer_syntax_uid;
  GW_TRY(const std::uint32_t count, open.instance->frames());
  std::vector<std::uint32_t> frames = call.place.frames;
  if (frames.empty()) {
    if (count > kFramesMax)
      return Error(Code::refused, cat("more than ", kFramesMax, " frames; ask for some of them"));
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
      stream_frames(std::move(open), std::move(frames), as_held,
                    cat(type, "; transfer-syntax=", as_held ? held : kExplicitLittle), boundary);
  return response;
}

core::Result<HttpResponse> give_value(const Call& call, OpenInstance open) {
  constexpr char kPixels[] = "7FE00010";
  const std::string& held = open.instance->about().transfer_syntax_uid;
  // Compressed pixels have no value of their own, but frames (PS3.18 8.7.3.3.2).
  if (call.place.value == kPixels &&
      adapters::dicom::frame_media_type(held) != "application/octet-stream")
    return give_frames(call, std::move(open));
  GW_CHECK(open.instance->bulk_size(call.place.value));
  if (!frame_form(call.accepted, kExplicitLittle, "application/octet-stream", false))
    return Error(Code::refused,
                 "values come as multipart/related; type=\"application/octet-stream\"");
  const std::string boundary = cat("gw-", core::new_uuid());
  HttpResponse response = good_answer(multipart("application/octet-stream", boundary));
  response.stream = stream_value(std::move(open), call.place.value, boundary);
  return response;
}

/// The one in the middle, then those beside it; `number` below `size`.
std::size_t from_the_middle(std::size_t number, std::size_t size) {
  const std::size_t steps = (number + 1) / 2;
  return number % 2 == 1 ? size / 2 - steps : size / 2 + steps;
}

/// Of several instances the one in the middle shows most. Where it is no picture (a report, a
/// presentation state) one beside it may be.
core::Result<std::string> picture_of(const Call& call, const Source& source,
                                     const std::vector<WishedInstance>& list,
                                     PictureFormat format) {
  const std::uint32_t frame = call.place.frames.empty() ? 1 : call.place.frames.front();
  const std::uint32_t edge_max = call.place.kind == Kind::thumbnail ? kThumbnailEdge : 0;
  const auto look_at = [&](const WishedInstance& one) -> core::Result<std::string> {
    GW_TRY(auto instance, HeldInstance::open(*call.holdings, source.clock, one.row));
    return instance->picture(frame, format, edge_max);
  };
  core::Result<std::string> picture = look_at(list[from_the_middle(0, list.size())]);
  const std::size_t tries = std::min(kPictureTriesMax, list.size());
  for (std::size_t i = 1; i < tries && !picture.ok(); ++i) {
    auto another = look_at(list[from_the_middle(i, list.size())]);
    if (another.ok()) picture = std::move(another);
  }
  return picture;
}

core::Result<HttpResponse> give_picture(const Call& call, const Source& source,
                                        const std::vector<WishedInstance>& list) {
  const auto type = choose(call.accepted, {"image/jpeg", "image/png"});
  if (!type) return Error(Code::refused, "pictures come as image/jpeg or image/png");
  const auto format = *type == "image/png" ? PictureFormat::png : PictureFormat::jpeg;
  GW_TRY(std::string picture, picture_of(call, source, list, format));
  HttpResponse response = good_answer(*type);
  put_body(response, *source.memory, std::move(picture));
  return response;
}

core::Result<HttpResponse> give_part(const Call& call, Source source) {
  GW_TRY(const auto list, named(call));
  if (call.place.kind == Kind::rendered || call.place.kind == Kind::thumbnail)
    return give_picture(call, source, list);
  GW_TRY(auto instance, HeldInstance::open(*call.holdings, source.clock, list.front().row));
  OpenInstance open{std::move(instance), std::move(source.memory), call.seat};
  if (call.place.kind == Kind::frames) return give_frames(call, std::move(open));
  return give_value(call, std::move(open));
}

}  // namespace

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
    case Code::cancelled:
      return text_answer(413, error.message());
    case Code::busy:
      return text_answer(503, "the gateway is busy; try again");
    default:
      core::log_error("api", cat("DICOMweb: ", core::to_string(error.code())));
      return text_answer(500, "the gateway could not do it; see its log");
  }
}

core::Result<HttpResponse> respond(const Call& call, Source source) {
  switch (call.place.kind) {
    case Kind::search:
      return search(call, source.clock);
    case Kind::instances:
      return give_instances(call, std::move(source));
    case Kind::metadata:
      return give_metadata(call, std::move(source));
    default:
      return give_part(call, std::move(source));
  }
}

}  // namespace gateway::daemon::dicomweb
