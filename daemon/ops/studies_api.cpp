#include "daemon/ops/studies_api.h"

#include <charconv>
#include <optional>
#include <utility>

#include "adapters/dicom/rejection_note.h"
#include "core/text.h"
#include "daemon/ops/control.h"
#include "sync/study_actions.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::string_view kStudy = "/v1/study/";
constexpr std::string_view kMedia = "/v1/media/";
constexpr std::size_t kPieceMax = 1u << 20;

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "PATH[?from=N]"
struct Target {
  std::string path;
  std::uint64_t from = 0;
};
core::Result<Target> target_of(std::string_view text) {
  constexpr std::string_view kFrom = "?from=";
  const auto mark = text.find('?');
  Target target{std::string(text.substr(0, mark)), 0};
  if (mark == text.npos) return target;
  const auto from = text.substr(mark).starts_with(kFrom)
                        ? number_in(text.substr(mark + kFrom.size()))
                        : std::optional<std::uint64_t>();
  if (!from) return Error(Code::invalid, "the query must be from=N");
  target.from = *from;
  return target;
}

HttpResponse json_answer(const Json& json) { return respond(core::Result<Json>(json)); }

std::string_view name_of(sync::StoreOutcome outcome) {
  switch (outcome) {
    case sync::StoreOutcome::repeated:
      return "repeated";
    case sync::StoreOutcome::other_copy:
      return "other copy";
    default:
      return "stored";
  }
}

Error no_route() { return {Code::not_found, "there is no such route"}; }

}  // namespace

void StudiesApi::stop() {
  lane_.stop();
  import_.reset();
  export_.reset();
}

core::net::HttpHandler StudiesApi::routes(core::net::HttpHandler rest) {
  return [this, rest = std::move(rest)](HttpRequest request) -> Awaitable<HttpResponse> {
    const std::string_view target = request.target;
    const bool ours = target.starts_with(kStudy) || target.starts_with(kMedia);
    return ours ? answer(std::move(request)) : rest(std::move(request));
  };
}

Awaitable<HttpResponse> StudiesApi::answer(HttpRequest request) {
  auto holdings = door_.get();
  if (!holdings) {
    co_return respond(
        Error(Code::locked, "the gateway is locked: unlock it first (clinic-gateway unlock)"));
  }
  const bool queues = request.method == "POST" && !request.target.ends_with("/bytes");
  auto shared = std::make_shared<HttpRequest>(std::move(request));
  auto work = [this, holdings = std::move(holdings), shared] { return serve(*holdings, *shared); };
  core::Result<HttpResponse> served = co_await lane_.run(std::move(work));
  if (!served.ok()) co_return respond(std::move(served).error());
  if (queues) queued_();
  co_return std::move(*served);
}

core::Result<HttpResponse> StudiesApi::serve(sync::Holdings& holdings, const HttpRequest& request) {
  return request.target.starts_with(kStudy) ? serve_study(holdings, request)
                                            : serve_media(holdings, request);
}

core::Result<HttpResponse> StudiesApi::serve_study(sync::Holdings& holdings,
                                                   const HttpRequest& request) {
  GW_TRY(const Target target, target_of(request.target));
  const std::string_view rest = std::string_view(target.path).substr(kStudy.size());
  const auto slash = rest.find('/');
  const std::string study_uid(rest.substr(0, slash));
  const std::string_view action = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
  if (request.method != (action.empty() ? "GET" : "POST"))
    return Error(Code::refused, "this route takes another method");
  if (action.empty()) {
    GW_TRY(const Json page,
           sync::study_page(holdings, study_uid, static_cast<std::int64_t>(target.from)));
    if (target.from == 0) {
      GW_CHECK(sync::note_disclosure(holdings, clock_, "read", study_uid));
      exported_study_.clear();  // an export begins like this
    }
    return json_answer(page);
  }
  GW_TRY(const Json done, act_on_study(holdings, study_uid, action, request.body));
  return json_answer(done);
}

core::Result<Json> StudiesApi::act_on_study(sync::Holdings& holdings, const std::string& study_uid,
                                            std::string_view action, const std::string& body) {
  if (action == "delete") return sync::delete_study(holdings, clock_, study_uid);
  if (action == "restore") {
    GW_TRY(const std::int64_t count, sync::restore_rejected(holdings, clock_, study_uid));
    return Json::object({{"restored", count}});
  }
  GW_TRY(const Json wish, Json::parse(body, 4));
  if (action == "withdraw") {
    adapters::dicom::Withdrawal withdrawal{
        study_uid, std::string(wish["series"].text()), {}, std::string(wish["reason"].text())};
    for (const Json& uid : wish["instances"].items())
      withdrawal.sop_instance_uids.emplace_back(uid.text());
    GW_TRY(const auto done, adapters::dicom::withdraw(door_.get(), clock_, withdrawal));
    return Json::object(
        {{"withdrawn", static_cast<std::int64_t>(done.images)}, {"note", done.note_uid}});
  }
  if (action != "send") return no_route();
  GW_TRY(const std::int64_t count,
         sync::send_study(holdings, clock_, study_uid, std::string(wish["uplink"].text())));
  return Json::object({{"queued", count}});
}

core::Result<HttpResponse> StudiesApi::serve_media(sync::Holdings& holdings,
                                                   const HttpRequest& request) {
  GW_TRY(const Target target, target_of(request.target));
  const std::string_view what = std::string_view(target.path).substr(kMedia.size());
  if (request.method == "GET") {
    const auto row = number_in(what);
    if (!row) return no_route();
    return give(holdings, static_cast<std::int64_t>(*row), target.from);
  }
  if (what == "import") {
    GW_TRY(const Json wish, Json::parse(request.body, 4));
    const std::string patient(wish["patient"].text());
    if (patient.empty()) return Error(Code::invalid, R"(the body must be {"patient":"ID"})");
    import_ = adapters::dicom::MediaImport::begin(door_.get(), patient);
    return json_answer(Json::object());
  }
  if (!import_) return Error(Code::invalid, "no import was begun");
  if (what == "bytes") {
    const core::Status taken = import_->append(std::as_bytes(std::span(request.body)));
    if (!taken.ok()) import_.reset();
    GW_CHECK(taken);
    return json_answer(Json::object());
  }
  if (what != "done") return no_route();
  const auto import = std::exchange(import_, nullptr);
  GW_TRY(const sync::StoreOutcome outcome, import->finish());
  return json_answer(Json::object({{"outcome", name_of(outcome)}}));
}

core::Result<HttpResponse> StudiesApi::give(sync::Holdings& holdings, std::int64_t row,
                                            std::uint64_t from) {
  // A file is asked for piece by piece, in order.
  if (!export_ || exported_row_ != row || from == 0) {
    GW_TRY(std::string study_uid, sync::study_of(holdings, row));
    // One row for each study that is written out, not for each image.
    if (study_uid != exported_study_) {
      GW_CHECK(sync::note_disclosure(holdings, clock_, "export", study_uid));
      exported_study_ = std::move(study_uid);
    }
    GW_TRY(export_, adapters::dicom::MediaExport::open(holdings, clock_, row));
    exported_row_ = row;
  }
  GW_TRY(std::string bytes, export_->read(from, kPieceMax));
  if (bytes.empty()) export_.reset();
  return HttpResponse{200, {{"Content-Type", "application/octet-stream"}}, std::move(bytes)};
}

}  // namespace gateway::daemon
