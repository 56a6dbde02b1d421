#include "daemon/gateway.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "adapters/dicom/dicom_options.h"
#include "core/files.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "daemon/api/console/console_server.h"
#include "daemon/api/fhir/fhir_server.h"
#include "daemon/blocking.h"
#include "daemon/component.h"
#include "daemon/device_decoders.h"
#include "daemon/device_listeners.h"
#include "daemon/dicom_ends.h"
#include "daemon/opening.h"
#include "daemon/ops/accounts_routes.h"
#include "daemon/ops/audit_checkpoints.h"
#include "daemon/ops/audit_routes.h"
#include "daemon/ops/captures.h"
#include "daemon/ops/central_reports.h"
#include "daemon/ops/control.h"
#include "daemon/ops/criticals_routes.h"
#include "daemon/ops/diagnostics.h"
#include "daemon/ops/health.h"
#include "daemon/ops/keys_api.h"
#include "daemon/ops/letters_routes.h"
#include "daemon/ops/log_level_lease.h"
#include "daemon/ops/maintenance.h"
#include "daemon/ops/peers_routes.h"
#include "daemon/ops/power.h"
#include "daemon/ops/reload.h"
#include "daemon/ops/results_routes.h"
#include "daemon/ops/reviews_routes.h"
#include "daemon/ops/service_notify.h"
#include "daemon/ops/studies_api.h"
#include "daemon/ops/uplinks_routes.h"
#include "daemon/ops/vitals.h"
#include "daemon/ops/watchdog.h"
#include "daemon/ops/wear.h"
#include "daemon/ops/work_reports.h"
#include "daemon/sync_component.h"
#include "daemon/unlock_trail.h"
#include "daemon/version.h"
#include "daemon/writer_pulse.h"
#include "sync/options.h"
#include "sync/rebuild.h"
#include "sync/reports.h"
#include "sync/review.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using std::chrono::seconds;

constexpr seconds kPortRetry{5};
constexpr seconds kFileRetry{10};
constexpr std::int64_t kStorageRowsMax = 500;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Error locked_error(const OpeningReport& report) {
  return {Code::locked, cat("the gateway is ", to_string(report.state), ": ", report.reason)};
}

class GatewayImpl final : public Gateway {
 public:
  GatewayImpl(boost::asio::io_context& loop, core::Config config, Settings settings,
              std::string config_path, const core::Clock& clock, std::function<void()> restart)
      : loop_(loop.get_executor()),
        config_(std::move(config)),
        settings_(std::move(settings)),
        config_path_(std::move(config_path)),
        clock_(clock),
        started_(clock.monotonic()),
        health_timer_(loop_),
        opening_(
            loop_, core::system_files(), clock,
            PassphraseSource(settings_.passphrase_file, environment("CREDENTIALS_DIRECTORY")),
            OpeningOptions{.holdings = holdings_options(config_),
                           .credentials_folder = environment("CREDENTIALS_DIRECTORY")},
            [this](std::shared_ptr<sync::Holdings> holdings, const std::string& by) {
              on_opened(std::move(holdings), by);
            },
            [this] { on_change(); }),
        keys_api_(loop_, core::system_files(), settings_.state_folder, clock, door_, opening_),
        devices_(loop_, config_, settings_, door_, clock, [this] { on_change(); }),
        captures_(loop_, config_, devices_, door_, lane_, clock_),
        mqtt_component_(component("mqtt", kFileRetry, &GatewayImpl::start_mqtt)),
        control_component_(component("control", kPortRetry, &GatewayImpl::start_control)),
        api_component_(component("api", kPortRetry, &GatewayImpl::start_api)),
        console_component_(component("console", kPortRetry, &GatewayImpl::start_console)),
        restart_(std::move(restart)),
        uplinks_(loop_, config_, clock, [this] { restart_unattended(); }),
        studies_(door_, clock, [this] { uplinks_.wake(); }),
        maintenance_(loop_, door_, clock, settings_.state_folder, [this] { on_change(); }),
        log_level_(loop_, clock, settings_.log_level),
        diagnostics_(config_, settings_, config_path_, door_, clock, [this] { return vitals(); }),
        reload_(loop_, lane_, door_, clock, config_, config_path_, settings_.is_hub,
                {.take_up = [this](const ReloadPlan& plan,
                                   core::Config next) { take_up(plan, std::move(next)); },
                 .settled = [this] { on_reloaded(); }}),
        checkpoints_(loop_, door_, lane_, seconds(settings_.audit_checkpoint_every_s),
                     [this](const Json& checkpoint) {
                       if (health_) health_->publish_document("audit", checkpoint);
                     }) {
    start_power();
    if (settings_.mqtt) {
      central_ =
          std::make_unique<CentralReports>(loop_, door_, lane_, clock_, config_, *settings_.mqtt,
                                           boot_id_, command_policy(settings_), command_asks());
      health_ = &central_->publisher();
    }
  }

  ~GatewayImpl() override { stop(); }

  core::Status start() override {
    // Another daemon's control socket is the one thing that ends this one.
    control_component_.start();
    if (control_conflict_) return Error(Code::exists, control_component_.problem());
    devices_.start();
    if (config_.has("api.port")) api_component_.start();
    if (config_.has("console.port")) console_component_.start();
    if (health_) mqtt_component_.start();
    opening_.start();
    announced_ = true;
    on_change();
    start_watchdog();
    beat();
    return {};
  }

  void reload() override { reload_.on_signal(); }

  void stop() override {
    if (std::exchange(stopped_, true)) return;
    reload_.stop();
    notify_stopping();
    if (watchdog_) watchdog_->stop();
    health_timer_.cancel();
    power_.reset();
    checkpoints_.stop();
    control_.reset();
    for (Component* component : components()) component->stop();
    console_.reset();
    api_.reset();
    opening_.stop();
    devices_.stop();
    uplinks_.stop();
    maintenance_.stop();
    studies_.stop();
    door_.close();
    lane_.stop();
    keys_api_.stop();
    health_ = nullptr;
    central_.reset();
    core::log_info("daemon", "stopped");
  }

 private:
  Component component(const char* name, seconds retry, core::Status (GatewayImpl::*begin)()) {
    return {loop_, name, retry, [this, begin] { return (this->*begin)(); },
            [this] { on_change(); }};
  }

  core::Status start_api() {
    fhir::FhirServerOptions options{settings_.site_name, settings_.state_folder,
                                    settings_.reserve_bytes, settings_.is_hub};
    GW_TRY(api_, fhir::FhirServer::start(config_, std::move(options), door_, clock_,
                                         [this] { uplinks_.wake(); }));
    return {};
  }

  core::Status start_console() {
    GW_TRY(console_, console::ConsoleServer::start(config_, settings_.site_name, loop_, door_,
                                                   clock_, control_asks(control_actions())));
    return {};
  }

  core::Status start_mqtt() { return health_->start(); }

  core::Status start_control() {
    auto server = core::net::UnixHttpServer::listen(
        loop_, settings_.control_socket,
        maintenance_.routes(studies_.routes(control_routes(control_asks(control_actions())))));
    if (!server.ok()) {
      control_conflict_ = server.error().code() == Code::exists;
      return std::move(server).error().with_context("control.socket");
    }
    control_ = std::move(*server);
    return {};
  }

  /// What the plan does not concern is left alone.
  void take_up(const ReloadPlan& plan, core::Config config) {
    config_ = std::move(config);
    settings_.config_problems.clear();
    settings_.dicom_fault.clear();
    settings_.left_out_dicom_peers.clear();
    if (plan.log_level) log_level_.set_usual(read_settings(config_).log_level);
    if (plan.power) {
      power_.reset();
      devices_.release();
      start_power();
    }
    if (plan.uplinks) uplinks_.change(config_);
    if (plan.api) begin_anew(api_component_, api_, "api.port");
    if (plan.console) begin_anew(console_component_, console_, "console.port");
    if (!plan.listeners.empty()) captures_.finish();
    devices_.change(plan.listeners);
  }

  template <class Server>
  void begin_anew(Component& component, std::unique_ptr<Server>& server, const char* wanted_by) {
    component.rest();
    server.reset();
    if (config_.has(wanted_by)) component.start();
  }

  /// systemd waits for READY=1, also where the line is the one it has.
  void on_reloaded() {
    status_line_.clear();
    if (central_) central_->look_again();
    on_change();
  }

  void start_power() {
    if (!config_.has("power.ups")) return;
    auto ups = parse_ups(config_.text("power.ups"));
    if (!ups.ok()) return;  // --check-config and config_problems say so
    power_ = std::make_unique<Power>(loop_, std::move(*ups),
                                     [this](PowerState::Supply before) { on_power(before); });
    power_->start();
  }

  void on_power(PowerState::Supply before) {
    const bool ends = power_->state().supply == PowerState::Supply::ending;
    if (ends && before != PowerState::Supply::ending) {
      devices_.hold("the battery of the UPS is nearly empty");
      // All that was acknowledged is on disk already; a WAL made empty is the quicker next start.
      auto settle = [holdings = door_.get()] {
        return holdings ? holdings->database().truncate_wal() : core::Result<bool>(false);
      };
      boost::asio::co_spawn(
          loop_,
          [](GatewayImpl* self, auto work) -> Awaitable<void> {
            co_await self->lane_.run(std::move(work));
          }(this, std::move(settle)),
          boost::asio::detached);
    }
    if (!ends) devices_.release();
    on_change();
  }

  void start_watchdog() {
    const auto period = watchdog_period();
    if (!period) return;
    watchdog_ = std::make_unique<Watchdog>(
        loop_, clock_, *period, [this] { return watchdog_parts(); }, notify_watchdog);
    watchdog_->start();
  }

  std::vector<Watchdog::Part> watchdog_parts() {
    std::vector<Watchdog::Part> parts = devices_.watchdog_parts();
    parts.push_back({"database writer", [this]() -> std::optional<std::uint64_t> {
                       if (maintenance_.rotating()) return std::nullopt;
                       return writer_pulse_.counter(door_.get());
                     }});
    parts.push_back({"mqtt", [this]() -> std::optional<std::uint64_t> {
                       if (!mqtt_component_.running()) return std::nullopt;
                       return health_->state().loop_turns;
                     }});
    return parts;
  }

  void on_opened(std::shared_ptr<sync::Holdings> holdings, const std::string& by) {
    record_unlock(*holdings, opening_.take_refusals(), by, clock_.wall());
    opened_by_operator_ = by == "operator";
    uplinks_.start(holdings);
    maintenance_.on_opened(holdings);
    door_.open(std::move(holdings));
    checkpoints_.start();
  }

  /// The database waits for the next start to be restored. Where a person has to unlock it then, a
  /// restart would end all work until that person comes; status and health ask for it instead.
  void restart_unattended() {
    if (stopped_) return;
    on_change();
    if (!opened_by_operator_) restart_();
  }

  /// State or a component's outcome changed: everyone who watches hears it at once.
  void on_change() {
    if (!announced_ || stopped_) return;
    const OpeningReport& report = opening_.report();
    std::string line(to_string(report.state));
    if (!report.reason.empty()) line += cat(": ", report.reason);
    for (const Problem& problem : problems())
      line += cat("; ", problem.component, ": ", problem.text);
    if (line != status_line_) notify_ready(line);
    status_line_ = std::move(line);
    publish_health();
  }

  void beat() {
    if (!settings_.mqtt) return;
    health_timer_.expires_after(seconds(settings_.mqtt->health_every_s));
    health_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || stopped_) return;
      publish_health();
      beat();
    });
  }

  /// One at a time; a change while one is being gathered is gathered again after it.
  void publish_health() {
    if (!mqtt_component_.running()) return;
    publish_again_ = true;
    if (publishing_) return;
    publishing_ = true;
    boost::asio::co_spawn(
        loop_,
        [](GatewayImpl* self) -> Awaitable<void> {
          while (std::exchange(self->publish_again_, false)) {
            const Vitals vitals = co_await self->vitals();
            if (self->stopped_) co_return;
            self->health_->publish(vitals);
            co_await self->central_->tell(vitals);
            if (self->stopped_) co_return;
          }
          self->publishing_ = false;
        }(this),
        boost::asio::detached);
  }

  std::array<Component*, 4> components() {
    return {&control_component_, &mqtt_component_, &api_component_, &console_component_};
  }

  std::vector<Problem> problems() {
    std::vector<Problem> found;
    if (opening_.report().state == OpeningState::failed) {
      found.push_back({"storage", opening_.report().reason});
    }
    for (const std::string& text : settings_.config_problems) found.push_back({"config", text});
    for (Problem& problem : reload_.problems()) found.push_back(std::move(problem));
    for (const std::string& text : uplinks_.upkeep_problems()) found.push_back({"storage", text});
    if (!maintenance_.problem().empty()) found.push_back({"restore", maintenance_.problem()});
    for (const Component* component : components()) {
      if (!component->problem().empty()) found.push_back({component->name(), component->problem()});
    }
    for (Problem& problem : devices_.problems()) found.push_back(std::move(problem));
    if (power_) {
      if (auto problem = power_problem(power_->state())) found.push_back(std::move(*problem));
    }
    return found;
  }

  Awaitable<Vitals> vitals() {
    Vitals vitals;
    vitals.opening = opening_.report();
    vitals.version = kVersion;
    vitals.site = settings_.site_name;
    vitals.boot_id = boot_id_;
    vitals.now = clock_.wall();
    vitals.uptime_s = std::chrono::duration_cast<seconds>(clock_.monotonic() - started_).count();
    vitals.uplinks = uplinks_.report();
    devices_.report(vitals);
    vitals.mqtt.configured = settings_.mqtt.has_value();
    if (health_) {
      const core::net::MqttState state = health_->state();
      vitals.mqtt.connected = state.connected;
      vitals.mqtt.connects = state.connects;
      vitals.mqtt.last_error = state.last_error;
    }
    vitals.storage = uplinks_.upkeep_report();
    vitals.problems = problems();
    if (power_) vitals.power = power_document(power_->state());
    vitals.disk.reserve_bytes = settings_.reserve_bytes;
    co_await add_stored(vitals);
    co_return vitals;
  }

  /// What a disk or the database must be asked for.
  Awaitable<void> add_stored(Vitals& vitals) {
    struct Stored {
      core::Result<std::uint64_t> free_bytes;
      core::Result<Json> queue;
      core::Result<Json> reviews;
      core::Result<std::int64_t> for_central;
      std::vector<DiskWear> wear;
    };
    auto ask = [&clock = clock_, folder = settings_.state_folder, reports = settings_.wear_folder,
                holdings = door_.get(), now = vitals.now]() -> Stored {
      auto free_bytes = core::system_files().free_bytes(folder);
      auto wear = look_at_wear(reports, folder, clock);
      if (!holdings) return {std::move(free_bytes), Json(), Json(), 0, std::move(wear)};
      return {std::move(free_bytes),
              holdings->database().read_value<Json>([&](crypto::Connection& connection) {
                return sync::health_report(connection, core::to_instant(now));
              }),
              holdings->database().read_value<Json>([&](crypto::Connection& connection) {
                return sync::reviews_health(connection, now);
              }),
              holdings->database().read_value<std::int64_t>(sync::count_central), std::move(wear)};
    };
    const Stored stored = co_await lane_.run(std::move(ask));
    add_wear(vitals, stored.wear);
    if (stored.free_bytes.ok()) {
      vitals.disk.free_bytes = *stored.free_bytes;
    } else {
      vitals.problems.push_back({"disk", stored.free_bytes.error().message()});
    }
    if (stored.queue.ok()) {
      vitals.queue = *stored.queue;
    } else {
      vitals.problems.push_back({"database", stored.queue.error().message()});
    }
    if (stored.reviews.ok()) vitals.reviews = *stored.reviews;
    if (stored.for_central.ok() && vitals.queue.is_object())
      vitals.mqtt.waiting = *stored.for_central;
    if (auto problem = space_problem(vitals)) vitals.problems.push_back(std::move(*problem));
  }

  /// The same routes that command and console use, and those that are central operations' alone.
  ControlAsk command_asks() {
    return [this, asks = control_asks(control_actions())](auto request, Caller caller) {
      if (request.target == "/v1/keys/rotate")
        return maintenance_.rotate(std::move(request.body), std::move(caller));
      if (request.target == kSendBundleRoute) return diagnostics_.send_support_bundle();
      return asks(std::move(request), std::move(caller));
    };
  }

  ControlActions control_actions() {
    ControlActions actions;
    actions.status = [this] { return status_answer(); };
    actions.studies = [this](std::int64_t limit) {
      return report_answer(sync::studies_report, "studies", limit);
    };
    actions.queue = [this](std::int64_t limit) {
      return report_answer(sync::queue_report, "queue", limit);
    };
    actions.retry = [this](std::int64_t number, Caller caller) {
      return retry_answer(number, std::move(caller));
    };
    actions.keys = [this](std::string method, std::string path, std::string body) {
      return keys_api_.answer(std::move(method), std::move(path), std::move(body));
    };
    actions.doctor = [this] { return diagnostics_.doctor(); };
    actions.storage = [this] { return storage_answer(); };
    actions.pin = [this](std::string study_uid, bool pinned) {
      return with_holdings(
          [&clock = clock_, study_uid = std::move(study_uid), pinned](sync::Holdings& holdings) {
            return answer_pin(holdings, clock, study_uid, pinned);
          });
    };
    actions.rebuild_index = [this] { return rebuild_answer(); };
    actions.audit = [this](std::string target) { return audit_answer(std::move(target)); };
    actions.reviews = on_holdings(
        [](auto& holdings, auto& clock, auto& method, auto& path, auto& body, auto& caller) {
          return answer_reviews(holdings, clock, method, path, body, caller.actor);
        });
    actions.letters = [this](std::string method, std::string path, std::string body,
                             Caller caller) {
      if (Captures::is_route(path))
        return captures_.answer(std::move(method), std::move(path), std::move(body),
                                std::move(caller));
      return letters_answer(std::move(method), std::move(path), std::move(body), std::move(caller));
    };
    actions.criticals =
        on_holdings([](auto& holdings, auto& clock, auto& method, auto& path, auto&, auto& caller) {
          return answer_criticals(holdings, clock, method, path, caller);
        });
    actions.results = on_holdings(answer_results);
    const auto by = [this](auto ask) {
      return [this, ask](std::string method, std::string path, std::string body, Caller caller) {
        return (this->*ask)(std::move(method), std::move(path), std::move(body), std::move(caller));
      };
    };
    actions.peers = by(&GatewayImpl::peers_answer);
    actions.uplinks = by(&GatewayImpl::uplinks_answer);
    actions.accounts = by(&GatewayImpl::accounts_answer);
    actions.worklist = [this](std::int64_t limit) {
      return with_holdings([&clock = clock_, limit](sync::Holdings& holdings) {
        return answer_worklist(holdings, clock, limit);
      });
    };
    actions.last_seen = [this] { return with_holdings(answer_last_seen); };
    actions.reload = [this](Caller caller) { return reload_.answer(std::move(caller)); };
    actions.log_level = [this](const std::string& body) { return log_level_.take(body); };
    actions.certificates = [this] { return diagnostics_.certificates(); };
    actions.support_bundle = [this](const std::string& method) {
      return diagnostics_.support_bundle(method);
    };
    return actions;
  }

  Awaitable<core::Result<Json>> status_answer() { co_return status_document(co_await vitals()); }

  /// `work(holdings)` on the lane, or on one `apart` where it must not hold up health and status;
  /// LOCKED is said without it.
  /// A route that is answered from the holdings.
  template <class Answer>
  ControlActions::Work on_holdings(Answer answer) {
    return [this, answer](std::string method, std::string path, std::string body, Caller caller) {
      return answered(answer, std::move(method), std::move(path), std::move(body),
                      std::move(caller));
    };
  }

  template <class Answer>
  Awaitable<core::Result<Json>> answered(Answer answer, std::string method, std::string path,
                                         std::string body, Caller caller) {
    const bool acts = method == "POST";
    auto ask = [&clock = clock_, answer, method = std::move(method), path = std::move(path),
                body = std::move(body), caller = std::move(caller)](sync::Holdings& holdings) {
      return answer(holdings, clock, method, path, body, caller);
    };
    core::Result<Json> done = co_await with_holdings(std::move(ask));
    if (acts && done.ok()) uplinks_.wake();
    co_return done;
  }

  template <class Work>
  Awaitable<core::Result<Json>> with_holdings(Work work,
                                              std::shared_ptr<BlockingLane> apart = nullptr) {
    auto holdings = door_.get();
    if (!holdings) co_return locked_error(opening_.report());
    auto ask = [holdings = std::move(holdings),
                work = std::move(work)]() mutable -> core::Result<Json> { return work(*holdings); };
    co_return co_await (apart ? *apart : lane_).run(std::move(ask));
  }

  using Report = core::Result<Json> (*)(crypto::Connection&, std::int64_t);
  Awaitable<core::Result<Json>> report_answer(Report report, const char* member,
                                              std::int64_t limit) {
    auto ask = [report, member, limit](sync::Holdings& holdings) -> core::Result<Json> {
      GW_TRY(Json rows, holdings.database().read_value<Json>([&](crypto::Connection& connection) {
        return report(connection, limit);
      }));
      return Json::object({{member, std::move(rows)}});
    };
    co_return co_await with_holdings(std::move(ask));
  }

  Awaitable<core::Result<Json>> audit_answer(std::string target) {
    auto ask = [site = settings_.site_name, target = std::move(target)](sync::Holdings& holdings) {
      return answer_audit(holdings, site, target);
    };
    co_return co_await with_holdings(std::move(ask), std::make_shared<BlockingLane>());
  }

  Awaitable<core::Result<Json>> letters_answer(std::string method, std::string path,
                                               std::string body, Caller caller) {
    auto answer = [decoders = device_decoders(config_, clock_)](auto& holdings, auto& clock,
                                                                auto&... asked) {
      return answer_letters(holdings, clock, decoders, asked...);
    };
    return answered(std::move(answer), std::move(method), std::move(path), std::move(body),
                    std::move(caller));
  }

  Awaitable<core::Result<Json>> uplinks_answer(std::string method, std::string path,
                                               std::string body, Caller caller) {
    auto holdings = door_.get();
    if (!holdings) co_return locked_error(opening_.report());
    core::Result<Json> answer =
        co_await answer_uplinks(uplinks_, std::move(holdings), clock_, std::move(method),
                                std::move(path), std::move(body), std::move(caller));
    on_change();
    co_return answer;
  }

  Awaitable<core::Result<Json>> peers_answer(std::string method, std::string path, std::string body,
                                             Caller caller) {
    GW_CO_TRY(auto dicom, adapters::dicom::dicom_options(config_));
    auto answer = [dicom = std::move(dicom)](auto& holdings, auto& clock, auto&... asked) {
      return answer_peers(holdings, clock, dicom, asked...);
    };
    co_return co_await answered(std::move(answer), std::move(method), std::move(path),
                                std::move(body), std::move(caller));
  }

  Awaitable<core::Result<Json>> accounts_answer(std::string method, std::string path,
                                                std::string body, Caller caller) {
    auto ask = [&clock = clock_, method, path, body = std::move(body),
                caller = std::move(caller)](sync::Holdings& holdings) mutable {
      auto answer = answer_accounts(holdings, clock, method, path, body, caller);
      ::explicit_bzero(body.data(), body.size());
      return answer;
    };
    // Apart: Argon2id takes its time.
    core::Result<Json> answer =
        co_await with_holdings(std::move(ask), std::make_shared<BlockingLane>());
    if (answer.ok() && console_) console_->end_sessions((*answer)["removed"].text());
    co_return answer;
  }

  Awaitable<core::Result<Json>> retry_answer(std::int64_t number, Caller caller) {
    auto work = [&clock = clock_, number, caller = std::move(caller)](sync::Holdings& holdings) {
      return answer_retry(holdings, clock, number, caller);
    };
    core::Result<Json> answer = co_await with_holdings(std::move(work));
    if (answer.ok()) uplinks_.wake();
    co_return answer;
  }

  Awaitable<core::Result<Json>> storage_answer() {
    GW_CO_TRY(Json document,
              co_await report_answer(sync::storage_report, "storage", kStorageRowsMax));
    document.set("upkeep", uplinks_.upkeep_report());
    co_return document;
  }

  Awaitable<core::Result<Json>> rebuild_answer() {
    if (door_.get()) {
      co_return Error(Code::refused,
                      "the index is there and in use; only a lost one is rebuilt: see "
                      "clinic-gateway(1)");
    }
    auto mark = [folder = settings_.state_folder] {
      return sync::want_rebuild(core::system_files(), folder);
    };
    GW_CO_CHECK(co_await lane_.run(std::move(mark)));
    co_return Json::object({{"wanted", true}});
  }

  boost::asio::any_io_executor loop_;
  core::Config config_;  // what holds: with a reload, in part what it was before
  Settings settings_;
  std::string config_path_;
  const core::Clock& clock_;
  const core::Monotonic started_;
  const std::string boot_id_ = core::new_uuid();
  bool announced_ = false;
  bool stopped_ = false;
  bool publishing_ = false;
  bool publish_again_ = false;
  bool control_conflict_ = false;
  bool opened_by_operator_ = false;
  std::string status_line_;

  BlockingLane lane_;
  sync::HoldingsDoor door_;
  boost::asio::steady_timer health_timer_;
  Opening opening_;
  KeysApi keys_api_;
  DeviceListeners devices_;
  Captures captures_;
  Component mqtt_component_;
  Component control_component_;
  Component api_component_;
  Component console_component_;
  const std::function<void()> restart_;
  SyncComponent uplinks_;
  StudiesApi studies_;
  Maintenance maintenance_;
  LogLevelLease log_level_;
  Diagnostics diagnostics_;
  Reload reload_;
  AuditCheckpoints checkpoints_;
  WriterPulse writer_pulse_;
  std::unique_ptr<Power> power_;
  std::unique_ptr<CentralReports> central_;
  HealthPublisher* health_ = nullptr;  // of central_
  std::unique_ptr<core::net::UnixHttpServer> control_;
  std::unique_ptr<fhir::FhirServer> api_;
  std::unique_ptr<console::ConsoleServer> console_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace

std::unique_ptr<Gateway> Gateway::create(boost::asio::io_context& loop, core::Config config,
                                         Settings settings, std::string config_path,
                                         const core::Clock& clock, std::function<void()> restart) {
  return std::make_unique<GatewayImpl>(loop, std::move(config), std::move(settings),
                                       std::move(config_path), clock, std::move(restart));
}

}  // namespace gateway::daemon
