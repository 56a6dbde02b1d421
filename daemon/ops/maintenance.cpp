#include "daemon/ops/maintenance.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <charconv>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/backup_place.h"
#include "crypto/backup_restore.h"
#include "daemon/ops/key_rotation.h"
#include "sync/damage.h"
#include "sync/recovery.h"

namespace gateway::daemon {

/// A run in progress. The source goes before the holdings it reads.
struct Maintenance::Run {
  std::shared_ptr<sync::Holdings> holdings;
  std::unique_ptr<crypto::BackupSource> source;
};

namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::size_t kReadBytes = 1U << 20;
constexpr std::size_t kPage = 4096;
constexpr auto kRunExpiry = std::chrono::minutes(10);

Error not_open() {
  return {Code::locked, "the gateway is not open: unlock it first (clinic-gateway unlock)"};
}

/// "/v1/backup/RUN/WHAT[/NAME][?from=N]"
struct BackupTarget {
  std::string run;
  std::string what;
  std::string name;
  std::uint64_t from = 0;
};

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

core::Result<BackupTarget> parse_target(std::string_view target) {
  constexpr std::string_view kPrefix = "/v1/backup/";
  constexpr std::string_view kFrom = "from=";
  BackupTarget parsed;
  const auto mark = target.find('?');
  if (mark != target.npos) {
    const std::string_view query = target.substr(mark + 1);
    const auto from = query.starts_with(kFrom) ? number_in(query.substr(kFrom.size()))
                                               : std::optional<std::uint64_t>();
    if (!from) return Error(Code::invalid, "the query must be from=N");
    parsed.from = *from;
  }
  std::string_view path = target.substr(0, mark).substr(kPrefix.size());
  const auto first = path.find('/');
  if (first == path.npos) return Error(Code::not_found, "there is no such route");
  parsed.run = path.substr(0, first);
  path.remove_prefix(first + 1);
  const auto second = path.find('/');
  parsed.what = path.substr(0, second);
  if (second != path.npos) parsed.name = path.substr(second + 1);
  return parsed;
}

Json pieces_page(const crypto::BackupSource& source, std::uint64_t from) {
  Json names = Json::array();
  const auto& pieces = source.pieces();
  for (std::uint64_t at = from; at < pieces.size() && at - from < kPage; ++at) {
    names.add(pieces[at]);
  }
  return Json::object({{"pieces", std::move(names)}});
}

Json bodies_page(const crypto::BackupSource& source, std::uint64_t from) {
  Json list = Json::array();
  const auto& bodies = source.bodies();
  for (std::uint64_t at = from; at < bodies.size() && at - from < kPage; ++at) {
    const crypto::BackupBody& body = bodies[at];
    Json item = Json::array({body.id, body.bytes});
    if (!body.doubt.empty()) {
      item.add(body.opens);
      item.add(body.doubt);
    }
    list.add(std::move(item));
  }
  return Json::object({{"bodies", std::move(list)}});
}

HttpResponse json_response(const Json& json) {
  return {200, {{"Content-Type", "application/json"}}, json.dump()};
}

core::Result<HttpResponse> bytes_response(core::Result<std::string> bytes) {
  if (!bytes.ok()) return std::move(bytes).error();
  return HttpResponse{200, {{"Content-Type", "application/octet-stream"}}, std::move(*bytes)};
}

core::Result<HttpResponse> check_response(crypto::BackupSource& source, const std::string& id) {
  const auto checked = source.check(id);
  if (checked.ok()) return json_response(Json::object({{"whole", true}}));
  if (checked.error().code() != Code::corrupt) return checked.error();
  return json_response(Json::object({{"whole", false}, {"why", checked.error().message()}}));
}

core::Result<HttpResponse> serve(crypto::BackupSource& source, const BackupTarget& target) {
  if (target.what == "pieces") return json_response(pieces_page(source, target.from));
  if (target.what == "bodies") return json_response(bodies_page(source, target.from));
  if (target.what == "body") {
    return bytes_response(source.body(target.name, target.from, kReadBytes));
  }
  if (target.what == "check") return check_response(source, target.name);
  if (target.what == "key-part") {
    return bytes_response(source.key_part_bytes(target.name, target.from, kReadBytes));
  }
  if (target.what == "piece") {
    const auto number = number_in(target.name);
    if (number) return bytes_response(source.piece(*number));
  }
  return Error(Code::not_found, "there is no such route");
}

core::Result<std::set<std::string>> noted_damage(sync::Holdings& holdings) {
  constexpr int kListed = 1000;
  std::set<std::string> ids;
  for (std::int64_t after = 0;;) {
    GW_TRY(const auto noted, holdings.database().read_value<std::vector<sync::DamagedObject>>(
                                 [after](crypto::Connection& connection) {
                                   return sync::damaged_objects(connection, after, kListed);
                                 }));
    if (noted.empty()) return ids;
    for (const sync::DamagedObject& damaged : noted) ids.insert(damaged.object_id);
    after = noted.back().row;
  }
}

core::Status check_folder_asked(const std::string& body, const std::string& state_folder) {
  GW_TRY(const Json asked, Json::parse(body, 4));
  const std::string folder(asked["to"].text());
  if (!folder.starts_with('/')) {
    return Error(Code::invalid, "a backup needs its folder's absolute path (\"to\")");
  }
  return crypto::check_backup_place(folder, state_folder);
}

Json run_document(const crypto::BackupSource& source, const std::string& state_folder) {
  Json key_part = Json::array();
  for (const auto& [name, bytes] : source.key_part()) key_part.add(Json::array({name, bytes}));
  return Json::object({{"run", source.id()},
                       {"box", source.box()},
                       {"created", source.created()},
                       {"state_dir", state_folder},
                       {"pieces", std::uint64_t{source.pieces().size()}},
                       {"bodies", std::uint64_t{source.bodies().size()}},
                       {"missing", source.missing()},
                       {"key_part", std::move(key_part)}});
}

}  // namespace

Maintenance::Maintenance(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                         const core::Clock& clock, std::string state_folder,
                         std::function<void()> changed)
    : loop_(loop),
      door_(door),
      clock_(clock),
      state_folder_(std::move(state_folder)),
      changed_(std::move(changed)),
      expiry_(loop) {}

Maintenance::~Maintenance() { stop(); }

void Maintenance::stop() {
  *alive_ = false;
  expiry_.cancel();
  lane_.stop();
  run_.reset();
}

core::net::HttpHandler Maintenance::routes(core::net::HttpHandler rest) {
  return [this, rest = std::move(rest)](HttpRequest request) -> Awaitable<HttpResponse> {
    const std::string_view target = request.target;
    const bool ours = target == "/v1/keys/rotate" || target == "/v1/backup" ||
                      target.starts_with("/v1/backup/") || target == "/v1/restore/dismiss";
    return ours ? answer(std::move(request)) : rest(std::move(request));
  };
}

Awaitable<HttpResponse> Maintenance::answer(HttpRequest request) {
  const bool post = request.method == "POST";
  if (request.target.starts_with("/v1/backup/")) {
    const bool ends = request.target.ends_with("/done");
    if (post != ends) co_return respond(Error(Code::refused, "this route takes another method"));
    core::Result<HttpResponse> served =
        co_await continue_backup(std::move(request.target), std::move(request.body));
    if (!served.ok()) co_return respond(std::move(served).error());
    co_return std::move(*served);
  }
  if (!post) co_return respond(Error(Code::refused, "this route takes POST"));
  if (request.target == "/v1/keys/rotate") {
    Caller caller = operator_on_the_box();
    core::Result<Json> rotated = co_await rotate(std::move(request.body), std::move(caller));
    co_return respond(rotated);
  }
  if (request.target == "/v1/backup") {
    core::Result<Json> begun = co_await begin_backup(std::move(request.body));
    co_return respond(begun);
  }
  core::Result<Json> dismissed = co_await dismiss();
  co_return respond(dismissed);
}

Awaitable<core::Result<Json>> Maintenance::rotate(std::string body, Caller caller) {
  GW_CO_TRY(RotationAsked asked, rotation_asked(body));
  auto holdings = door_.get();
  if (!holdings) co_return not_open();
  auto work = [holdings = std::move(holdings), &clock = clock_, asked = std::move(asked),
               caller = std::move(caller)] { return rotate_keys(*holdings, clock, asked, caller); };
  if (std::exchange(rotating_, true)) {
    co_return Error(Code::busy, "a rotation is running already; wait for it to end");
  }
  core::Result<Json> rotated = co_await lane_.run(std::move(work));
  rotating_ = false;
  co_return rotated;
}

Awaitable<core::Result<Json>> Maintenance::begin_backup(std::string body) {
  GW_CO_CHECK(check_folder_asked(body, state_folder_));
  auto holdings = door_.get();
  if (!holdings) co_return not_open();
  auto work = [old = std::move(run_), holdings = std::move(holdings),
               &clock = clock_]() mutable -> core::Result<std::shared_ptr<Run>> {
    old.reset();  // its spool is where the new one goes
    auto run = std::make_shared<Run>();
    run->holdings = holdings;
    GW_TRY(std::set<std::string> damaged, noted_damage(*holdings));
    GW_TRY(run->source, crypto::BackupSource::begin(
                            {core::system_files(), holdings->options().state_folder,
                             holdings->options().reserve_bytes, holdings->keyring(),
                             holdings->database(), holdings->objects(), sync::each_object,
                             core::to_instant(clock.wall()), std::move(damaged)}));
    return run;
  };
  core::Result<std::shared_ptr<Run>> begun = co_await lane_.run(std::move(work));
  if (!begun.ok()) co_return std::move(begun).error();
  run_ = std::move(*begun);
  expire_later();
  co_return run_document(*run_->source, state_folder_);
}

Awaitable<core::Result<HttpResponse>> Maintenance::continue_backup(std::string target,
                                                                   std::string body) {
  GW_CO_TRY(BackupTarget parsed, parse_target(target));
  if (!run_ || run_->source->id() != parsed.run) {
    co_return Error(Code::not_found,
                    "this backup run has ended (a later one took its place, or the gateway "
                    "restarted); run the backup again");
  }
  expire_later();
  if (parsed.what == "done") {
    core::Result<Json> ended = co_await end_backup(std::move(body));
    if (!ended.ok()) co_return std::move(ended).error();
    co_return json_response(*ended);
  }
  auto work = [run = run_, parsed = std::move(parsed)] { return serve(*run->source, parsed); };
  core::Result<HttpResponse> served = co_await lane_.run(std::move(work));
  co_return served;
}

Awaitable<core::Result<Json>> Maintenance::end_backup(std::string body) {
  GW_CO_TRY(const Json report, Json::parse(body, 4));
  auto work = [run = std::move(run_), &clock = clock_,
               outcome = std::string(report["outcome"].text())]() mutable -> core::Result<Json> {
    GW_CHECK(record_upkeep(*run->holdings, clock, operator_on_the_box(), "backup",
                           cat("backup/", run->source->id()), outcome));
    run.reset();
    return Json::object({{"ended", true}});
  };
  expiry_.cancel();
  core::Result<Json> ended = co_await lane_.run(std::move(work));
  co_return ended;
}

Awaitable<core::Result<Json>> Maintenance::dismiss() {
  auto work = [folder = state_folder_] {
    return crypto::dismiss_restore_report(core::system_files(), folder);
  };
  core::Status dismissed = co_await lane_.run(std::move(work));
  if (!dismissed.ok()) {
    if (dismissed.error().code() != Code::not_found) co_return std::move(dismissed).error();
    co_return Error(Code::not_found, "there is no report of a restore");
  }
  problem_.clear();
  changed_();
  co_return Json::object({{"dismissed", true}});
}

void Maintenance::on_opened(std::shared_ptr<sync::Holdings> holdings) {
  look_for_report();
  const bool resumes = holdings->keyring().root().is_moving;
  auto work = [holdings = std::move(holdings), &clock = clock_]() -> core::Status {
    core::Files& files = core::system_files();
    const std::string& folder = holdings->options().state_folder;
    GW_CHECK(crypto::remove_backup_spool(files, folder));
    return finish_rotations(*holdings, clock);
  };
  // Only a new root moves the database along, which may hold up the writer.
  if (resumes) rotating_ = true;
  boost::asio::co_spawn(
      loop_,
      [](BlockingLane& lane, decltype(work) task, bool resumed, bool& rotating) -> Awaitable<void> {
        const core::Status done = co_await lane.run(std::move(task));
        if (resumed) rotating = false;
        if (!done.ok()) {
          core::log_warn("daemon", cat("housekeeping after the start: ", done.error().message()));
        }
      }(lane_, std::move(work), resumes, rotating_),
      boost::asio::detached);
}

void Maintenance::look_for_report() {
  core::Files& files = core::system_files();
  const auto there = crypto::has_restore_report(files, state_folder_);
  if (!there.ok() || !*there) return;
  const auto report = crypto::read_restore_report(files, state_folder_);
  problem_ = report.ok() ? crypto::describe(*report) : report.error().message();
}

void Maintenance::expire_later() {
  expiry_.expires_after(kRunExpiry);
  expiry_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (error || !*alive || !run_) return;
    core::log_warn("daemon", "a backup run was given up: nobody asked for its next piece");
    run_.reset();
  });
}

}  // namespace gateway::daemon
