#include "daemon/ops/captures.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "adapters/frame/line_recorder.h"
#include "core/base64.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/captures.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;

constexpr std::string_view kRoute = "/v1/letters/captures";
constexpr std::chrono::seconds kLook{1};
constexpr std::int64_t kSecondsMax = 3'600;
constexpr std::size_t kAtOnceMax = 4;

core::Result<Json> captures_of(sync::Holdings& holdings, const std::vector<std::string>& devices) {
  return holdings.database().read_value<Json>(
      [&](crypto::Connection& connection) -> core::Result<Json> {
        Json all = Json::array();
        for (const std::string& device : devices) {
          GW_TRY(const Json some, sync::captures_report(connection, device));
          for (const Json& one : some.items()) all.add(one);
        }
        return all;
      });
}

core::Result<Json> capture_numbered(sync::Holdings& holdings, std::int64_t number) {
  GW_TRY(const sync::Capture kept,
         holdings.database().read_value<sync::Capture>([&](crypto::Connection& connection) {
           return sync::read_capture(connection, number);
         }));
  return Json::object({{"number", kept.number},
                       {"device", kept.device},
                       {"received_at", kept.received_at},
                       {"recording", core::to_base64(kept.recording)}});
}

}  // namespace

bool Captures::is_route(std::string_view path) {
  return path == kRoute || path.starts_with(cat(kRoute, '/'));
}

Captures::~Captures() { *alive_ = false; }

void Captures::finish() {
  for (Running& one : running_) {
    auto* const recorder = devices_.recorder(one.device);
    if (recorder != nullptr && !one.recorded) one.recorded = recorder->end();
    one.ends = clock_.monotonic();
    one.look.cancel();
  }
}

core::Result<Captures::Wish> Captures::wish_of(const std::string& body) const {
  GW_TRY(const Json wish, Json::parse(body.empty() ? "{}" : body, 4));
  const std::string device(wish["device"].text());
  const std::int64_t seconds = wish["seconds"].integer().value_or(0);
  if (seconds < 1 || seconds > kSecondsMax)
    return Error(Code::invalid, cat("a recording takes 1 to ", kSecondsMax, " seconds"));
  if (!door_.get()) return Error(Code::locked, "the gateway is locked; unlock it first");
  if (devices_.recorder(device) == nullptr) {
    return Error(Code::not_found,
                 cat("no device \"", device,
                     "\" speaks HL7, ASTM or POCT1-A here; what others send is kept whole "
                     "anyway: clinic-gateway letters, devices list"));
  }
  if (running_.size() >= kAtOnceMax)
    return Error(Code::busy, "other recordings are running; wait until one has ended");
  return Wish{device, std::chrono::seconds(seconds)};
}

core::Result<Captures::Running*> Captures::begin(const Wish& wish) {
  auto* const recorder = devices_.recorder(wish.device);
  if (recorder == nullptr || !recorder->begin(clock_.monotonic()))
    return Error(Code::exists, cat("device ", wish.device, " is being recorded already"));
  running_.push_back({wish.device, clock_.monotonic() + wish.time,
                      core::to_instant(clock_.wall() + wish.time),
                      boost::asio::steady_timer(loop_)});
  return &running_.back();
}

/// Looks every second whether it is over: by time, by size, or because somebody said so.
Awaitable<void> Captures::keep_until_it_ends(std::list<Running>::iterator running) {
  const auto alive = alive_;
  bool is_over = false;
  while (!is_over) {
    running->look.expires_after(kLook);
    co_await running->look.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (!*alive) co_return;
    const auto* const recorder = devices_.recorder(running->device);
    is_over = clock_.monotonic() >= running->ends || recorder == nullptr ||
              !recorder->state().is_recording || recorder->state().is_full;
  }
  std::string device = running->device;
  auto recording = std::move(running->recorded);
  // Since finish() a recorder of that name may be another's.
  auto* const recorder = recording ? nullptr : devices_.recorder(device);
  if (recorder != nullptr) recording = recorder->end();
  core::Status kept = Error(Code::busy, "its listener is not running");
  if (recording) kept = co_await store(device, std::move(*recording));
  if (!*alive) co_return;
  running_.erase(running);
  if (!kept.ok())
    core::log_warn("devices",
                   cat("device ", device, ": the recording is lost: ", kept.error().message()));
}

Awaitable<core::Status> Captures::store(std::string device, std::string recording) {
  const auto holdings = door_.get();
  if (!holdings) co_return Error(Code::locked, "the gateway is locked");
  const auto message = std::make_shared<const sync::IncomingMessage>(
      sync::captured_message(std::move(device), std::move(recording), clock_.wall()));
  auto keep = [holdings, message]() -> core::Status {
    GW_TRY(const sync::Taken taken, holdings->intake().take_now(*message));
    (void)taken;
    return {};
  };
  co_return co_await lane_.run(std::move(keep));
}

Awaitable<core::Status> Captures::note(std::string action, std::string resource, Caller caller) {
  const auto holdings = door_.get();
  if (!holdings) co_return Error(Code::locked, "the gateway is locked; unlock it first");
  auto write = [holdings, action = std::move(action), resource = std::move(resource),
                caller = std::move(caller), at = clock_.wall()]() -> core::Status {
    return holdings->database().write([&](crypto::Connection& connection) {
      return holdings->audit().append(connection, {.at = at,
                                                   .actor = caller.actor,
                                                   .action = action,
                                                   .resource = resource,
                                                   .patient = "",
                                                   .source = caller.source,
                                                   .outcome = "begun"});
    });
  };
  co_return co_await lane_.run(std::move(write));
}

Awaitable<core::Result<Json>> Captures::list() {
  const auto holdings = door_.get();
  if (!holdings) co_return Error(Code::locked, "the gateway is locked; unlock it first");
  auto read = [holdings, names = config_.names("device")] { return captures_of(*holdings, names); };
  GW_CO_TRY(Json captures, co_await lane_.run(std::move(read)));
  Json running = Json::array();
  for (const Running& one : running_) {
    const auto* const recorder = devices_.recorder(one.device);
    const auto state =
        recorder == nullptr ? adapters::frame::LineRecorder::State() : recorder->state();
    running.add(Json::object({{"device", one.device},
                              {"ends_at", one.ends_at},
                              {"bytes", static_cast<std::uint64_t>(state.bytes)},
                              {"full", state.is_full}}));
  }
  Json answer = Json::object();
  answer.set("captures", std::move(captures));
  answer.set("running", std::move(running));
  co_return answer;
}

Awaitable<core::Result<Json>> Captures::show(std::string text, Caller caller) {
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    co_return Error(Code::not_found, "there is no such recording");
  GW_CO_CHECK(co_await note("read-capture", cat("message/", number), std::move(caller)));
  const auto holdings = door_.get();
  if (!holdings) co_return Error(Code::locked, "the gateway is locked; unlock it first");
  auto read = [holdings, number] { return capture_numbered(*holdings, number); };
  co_return co_await lane_.run(std::move(read));
}

Awaitable<core::Result<Json>> Captures::answer(std::string method, std::string path,
                                               std::string body, Caller caller) {
  const bool is_post = method == "POST";
  if (path == kRoute && !is_post) co_return co_await list();
  if (path == kRoute) {
    GW_CO_TRY(const Wish wish, wish_of(body));
    // Nothing is recorded that is not in the trail.
    GW_CO_CHECK(co_await note("capture", cat("device/", wish.device), std::move(caller)));
    GW_CO_TRY(Running* const running, begin(wish));
    Json begun = Json::object({{"device", wish.device}, {"ends_at", running->ends_at}});
    boost::asio::co_spawn(loop_, keep_until_it_ends(std::prev(running_.end())),
                          boost::asio::detached);
    co_return begun;
  }
  const std::string_view last = std::string_view(path).substr(kRoute.size() + 1);
  if (last != "stop") {
    if (is_post) co_return Error(Code::refused, "this route takes GET");
    co_return co_await show(std::string(last), std::move(caller));
  }
  if (!is_post) co_return Error(Code::refused, "this route takes POST");
  GW_CO_TRY(const Json wish, Json::parse(body.empty() ? "{}" : body, 4));
  const std::string device(wish["device"].text());
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const Running& one) { return one.device == device; });
  if (found == running_.end())
    co_return Error(Code::not_found, cat("device ", device, " is not being recorded"));
  found->ends = clock_.monotonic();
  found->look.cancel();
  GW_CO_CHECK(co_await note("end-capture", cat("device/", device), std::move(caller)));
  co_return Json::object({{"device", device}});
}

}  // namespace gateway::daemon
