#include "daemon/api/console/thumbnails.h"

#include "core/text.h"
#include "daemon/api/dicomweb/answers.h"
#include "daemon/api/dicomweb/place.h"

namespace gateway::daemon::console {
namespace {

using core::Code;

constexpr std::string_view kBefore = "studies/";
constexpr std::string_view kBehind = "/thumbnail";

core::Result<Thumbnail> picture_of(std::shared_ptr<sync::Holdings> holdings,
                                   const core::Clock& clock,
                                   std::shared_ptr<dicomweb::Memory> memory,
                                   const std::string& study_uid) {
  dicomweb::Call call;
  call.holdings = holdings;
  GW_TRY(call.place, dicomweb::place_of(core::cat(kBefore, study_uid, kBehind)));
  call.accepted = dicomweb::parse_accept("image/jpeg");
  auto response = dicomweb::respond(call, {holdings, clock, std::move(memory)});
  if (!response.ok()) {
    const Code code = response.error().code();
    // No image, none that is decoded here, or gone to the PACS.
    if (code != Code::invalid && code != Code::not_found) return response.error();
    Thumbnail none;
    none.response.status = 204;
    return none;
  }
  GW_TRY(auto study,
         holdings->database().read_value<sync::TrailedStudy>([&](crypto::Connection& connection) {
           return sync::trail_study(connection, study_uid);
         }));
  // Who may keep it is said where all answers of the console are guarded.
  std::erase_if(response->headers, [](const auto& one) { return one.first == "Cache-Control"; });
  return Thumbnail{std::move(*response), std::move(study)};
}

}  // namespace

std::optional<std::string> study_of_thumbnail(std::string_view path) {
  if (!path.starts_with(kBefore) || !path.ends_with(kBehind)) return std::nullopt;
  path.remove_prefix(kBefore.size());
  if (path.size() <= kBehind.size()) return std::nullopt;
  path.remove_suffix(kBehind.size());
  const auto place = dicomweb::place_of(core::cat(kBefore, path, kBehind));
  const bool is_study = place.ok() && place->kind == dicomweb::Kind::thumbnail &&
                        place->level == adapters::dicom::WebLevel::study;
  return is_study ? std::optional<std::string>(path) : std::nullopt;
}

core::net::Awaitable<core::Result<Thumbnail>> Thumbnails::make(
    std::shared_ptr<sync::Holdings> holdings, std::string study_uid) {
  auto work = [holdings = std::move(holdings), &clock = clock_, memory = memory_, closed = closed_,
               study_uid = std::move(study_uid)]() -> core::Result<Thumbnail> {
    // Not by stopping the lane: who waits for what it drops is never woken.
    if (*closed) return core::Error(Code::cancelled, "the console is closing; ask again");
    return picture_of(holdings, clock, memory, study_uid);
  };
  co_return co_await lane_.run(std::move(work));
}

}  // namespace gateway::daemon::console
