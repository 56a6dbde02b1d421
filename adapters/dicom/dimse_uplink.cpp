#include "adapters/dicom/dimse_uplink.h"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <set>
#include <utility>

#include "adapters/dicom/commitment_scu.h"
#include "adapters/dicom/session.h"
#include "adapters/dicom/store_scu.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::net::Awaitable;
namespace asio = boost::asio;
using sync::PullReport;
using sync::RowOutcome;

constexpr std::size_t kDeliveriesInFlight = 2;
constexpr std::size_t kCallsAtOnce = kDeliveriesInFlight + 2;  // commitment, and a probe
constexpr core::Milliseconds kAskEvery{10'000};
constexpr core::Milliseconds kReportWait{5'000};  // on our association; the PACS may call later
constexpr std::int64_t kAskedAtOnce = 500;
// A PACS may take its time; a report that got lost is asked for again.
constexpr std::chrono::hours kAskAgainAfter{6};
// One that took the question and broke off, or said nothing, may do so each time.
constexpr std::chrono::minutes kAskAgainUnanswered{15};
constexpr std::chrono::hours kForgetAfter{24 * 3};

/// The connections in use, so that all can be ended.
class OpenLines {
 public:
  void add(Line& line) {
    const std::lock_guard lock(mutex_);
    lines_.insert(&line);
    if (closed_) line.close();
  }
  void remove(Line& line) {
    const std::lock_guard lock(mutex_);
    lines_.erase(&line);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (Line* line : lines_) line->close();
  }

 private:
  std::mutex mutex_;
  std::set<Line*> lines_;
  bool closed_ = false;
};

class OpenLine {
 public:
  OpenLine(OpenLines& all, core::Milliseconds patience, SendLimit* limit)
      : all_(all), line_(patience, limit) {
    all_.add(line_);
  }
  ~OpenLine() { all_.remove(line_); }
  OpenLine(const OpenLine&) = delete;
  OpenLine& operator=(const OpenLine&) = delete;
  Line& get() { return line_; }

 private:
  OpenLines& all_;
  Line line_;
};

/// Some peers hang up where they know none of the contexts; this one everybody knows.
OutgoingAssociation::Proposal verification_proposal() {
  return {UID_VerificationSOPClass, {UID_LittleEndianImplicitTransferSyntax}};
}

enum class Ability { unknown, yes, no };

class DimseUplink final : public sync::Uplink {
 public:
  DimseUplink(DicomUplink settings, std::shared_ptr<sync::Holdings> holdings,
              const core::Clock& clock)
      : settings_(std::move(settings)), holdings_(std::move(holdings)), clock_(clock) {
    if (settings_.send_bytes_per_second > 0) limit_.emplace(settings_.send_bytes_per_second);
  }
  ~DimseUplink() override {
    close();
    threads_.stop();
    threads_.join();
  }

  const std::string& name() const override { return settings_.name; }
  std::string_view kind() const override { return "dicom"; }
  sync::UplinkLimits limits() const override { return dimse_uplink_limits(); }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<sync::OutboxRow> rows) override {
    auto task = store(this, std::move(rows));
    co_return co_await asio::co_spawn(threads_, std::move(task), asio::use_awaitable);
  }

  Awaitable<PullReport> pull() override {
    auto task = ask(this);
    co_return co_await asio::co_spawn(threads_, std::move(task), asio::use_awaitable);
  }

  core::Json abilities() const override {
    const Ability commits = commits_;
    if (commits == Ability::unknown) return {};
    return core::Json::object({{"storage_commitment", commits == Ability::yes}});
  }

  Awaitable<core::Result<core::Json>> probe() override {
    auto task = find_abilities(this);
    const std::string problem =
        co_await asio::co_spawn(threads_, std::move(task), asio::use_awaitable);
    if (!problem.empty()) co_return Error(Code::unavailable, problem);
    co_return abilities();
  }

  void close() override {
    lines_.close();
    if (limit_) limit_->close();
  }

 private:
  // On a thread of their own, since DCMTK blocks.
  static Awaitable<std::vector<RowOutcome>> store(DimseUplink* self,
                                                  std::vector<sync::OutboxRow> rows) {
    OpenLine line = self->open_line();
    co_return store_rows(self->settings_, *self->holdings_, self->clock_, line.get(), self->breaks_,
                         rows);
  }
  static Awaitable<PullReport> ask(DimseUplink* self) { co_return self->ask_for_commitment(); }
  static Awaitable<std::string> find_abilities(DimseUplink* self) {
    co_return self->ask_abilities();
  }

  OpenLine open_line() { return OpenLine(lines_, settings_.patience, limit_ ? &*limit_ : nullptr); }

  core::Result<std::unique_ptr<OutgoingAssociation>> call(Line& line) {
    return OutgoingAssociation::open(line, settings_.to(), settings_.calling_title,
                                     settings_.peer.ae_title,
                                     {commitment_proposal(), verification_proposal()});
  }

  /// Why it could not be asked; empty: it could.
  std::string ask_abilities() {
    OpenLine line = open_line();
    const auto association = call(line.get());
    if (!association.ok()) return association.error().message();
    T_ASC_Association* const way = (*association)->handle();
    const bool takes_it =
        ASC_findAcceptedPresentationContextID(way, UID_StorageCommitmentPushModelSOPClass) != 0;
    commits_ = takes_it ? Ability::yes : Ability::no;
    (*association)->release();
    return "";
  }

  PullReport ask_for_commitment() {
    PullReport report;
    const core::Wall now = clock_.wall();
    const sync::AskingTimes times{core::to_instant(now), core::to_instant(now - kAskAgainAfter),
                                  core::to_instant(now - kForgetAfter)};
    const auto commitment = begin(times);
    if (!commitment.ok()) {
      // It is our own trouble, which shows elsewhere too.
      core::log_error("sync", cat("uplink ", settings_.name, ": ", commitment.error().message()));
    }
    if (!commitment.ok() || commitment->items.empty()) {
      report.reached = report.idle = true;
      return report;
    }
    const std::string soon = core::to_instant(now - kAskAgainAfter + kAskAgainUnanswered);
    const core::Status asked = ask_about(*commitment, soon);
    // A PACS that was called and did not answer this is no broken link: images may pass.
    report.reached = asked.ok() || asked.error().code() == Code::lost_answer;
    if (!asked.ok()) report.error = asked.error().message();
    return report;
  }

  core::Result<sync::PacsCommitment> begin(const sync::AskingTimes& times) {
    const auto look = [&](crypto::Connection& connection) {
      return sync::has_uncommitted(connection, settings_.name, times);
    };
    GW_TRY(const bool has_any, holdings_->database().read_value<bool>(look));
    sync::PacsCommitment commitment;
    if (!has_any) return commitment;
    GW_CHECK(holdings_->database().write([&](crypto::Connection& connection) -> core::Status {
      GW_TRY(commitment,
             sync::begin_pacs_commitment(connection, settings_.name, times, kAskedAtOnce));
      return {};
    }));
    return commitment;
  }

  /// An error is of the link.
  core::Status ask_about(const sync::PacsCommitment& commitment, const std::string& soon) {
    OpenLine line = open_line();
    const auto association = call(line.get());
    core::Status asked =
        association.ok() ? ask_over(**association, commitment) : core::Status(association.error());
    if (asked.ok()) return asked;
    const Code code = asked.error().code();
    // What could not be called need not be taken for one that refuses: it may be another day.
    GW_CHECK(holdings_->database().write([&](crypto::Connection& connection) {
      if (code == Code::refused)
        return sync::forget_pacs_commitment(connection, commitment.transaction_uid);
      const bool has_heard = code == Code::lost_answer;
      return sync::ask_again(connection, commitment.transaction_uid, has_heard ? soon : "",
                             has_heard);
    }));
    return code == Code::refused ? core::Status() : asked;
  }

  core::Status ask_over(OutgoingAssociation& association, const sync::PacsCommitment& commitment) {
    const ReportSetting setting{
        holdings_, clock_, cat(settings_.peer.ae_title, " at ", settings_.peer.host),
        [this](const std::string& uplink) { return uplink == settings_.name; }};
    const int seconds = static_cast<int>(
        std::chrono::duration_cast<std::chrono::seconds>(settings_.patience).count());
    core::Status asked = ask_commitment(association, seconds, kReportWait, commitment, setting);
    const bool says_no = !asked.ok() && asked.error().code() == Code::refused;
    if (asked.ok() || says_no) association.release();
    if (asked.ok()) commits_ = Ability::yes;
    if (says_no && commits_.exchange(Ability::no) != Ability::no) {
      core::log_warn("sync", cat("uplink ", settings_.name, ": ", asked.error().message(),
                                 "; nothing that is sent there ever leaves this gateway for age or "
                                 "space, since nobody proves that the PACS has it"));
    }
    return asked;
  }

  const DicomUplink settings_;
  const std::shared_ptr<sync::Holdings> holdings_;
  const core::Clock& clock_;
  std::optional<SendLimit> limit_;
  OpenLines lines_;
  Breaks breaks_;
  std::atomic<Ability> commits_ = Ability::unknown;
  asio::thread_pool threads_{kCallsAtOnce};  // last: what runs on it uses the above
};

}  // namespace

sync::UplinkLimits dimse_uplink_limits() {
  sync::UplinkLimits limits;
  limits.rows_per_delivery = kStoredAtOnceMax;
  limits.bytes_per_delivery = 64U << 20;
  limits.deliveries_in_flight = kDeliveriesInFlight;
  limits.pull_every = kAskEvery;
  return limits;
}

core::Result<std::unique_ptr<sync::Uplink>> make_dimse_uplink(
    DicomUplink settings, std::shared_ptr<sync::Holdings> holdings, const core::Clock& clock) {
  GW_CHECK(prepare_dcmtk());
  std::unique_ptr<sync::Uplink> made =
      std::make_unique<DimseUplink>(std::move(settings), std::move(holdings), clock);
  return made;
}

sync::UplinkMaker dimse_uplinks(std::shared_ptr<sync::Holdings> holdings,
                                const core::Config& config, const core::Clock& clock) {
  return {dimse_uplink_limits(),
          [holdings = std::move(holdings), &config,
           &clock](const std::string& name) -> core::Result<std::unique_ptr<sync::Uplink>> {
            GW_TRY(auto settings, dicom_uplink(config, name));
            return make_dimse_uplink(std::move(settings), holdings, clock);
          }};
}

}  // namespace gateway::adapters::dicom
