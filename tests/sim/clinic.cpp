#include "tests/sim/clinic.h"

#include <cstdio>
#include <cstdlib>

#include "core/text.h"
#include "sync/fhir_uplink.h"
#include "sync/outbox.h"
#include "sync/reports.h"
#include "sync/review.h"
#include "sync/server_ids.h"

namespace gateway::sim {
namespace {

using core::Json;
using core::Milliseconds;
using crypto::Connection;

constexpr Milliseconds kPollEvery{1'200'000};

const sync::WorklistOptions& worklist_options() {
  static const sync::WorklistOptions options{.patient_id_issuer = "urn:oid:2.25.1",
                                             .time_zone = "UTC",
                                             .default_modality = {},
                                             .default_station_ae = {},
                                             .accession_prefix = {}};
  return options;
}

void must(const core::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "sim: %s\n", status.error().message().c_str());
  std::abort();
}

class VirtualAlarm final : public sync::Alarm {
 public:
  VirtualAlarm(VirtualTime& time, std::shared_ptr<Life> life)
      : time_(time), life_(std::move(life)), newest_(std::make_shared<std::uint64_t>(0)) {}
  void set(core::Monotonic time, std::function<void()> ring) override {
    time_.at(time, [life = life_, newest = newest_, mine = ++*newest_, ring = std::move(ring)] {
      if (life->alive && *newest == mine) ring();
    });
  }
  void cancel() override { ++*newest_; }

 private:
  VirtualTime& time_;
  std::shared_ptr<Life> life_;
  std::shared_ptr<std::uint64_t> newest_;
};

/// A mutation's: forgets that a row may have been sent.
class ForgetfulUplink final : public sync::Uplink {
 public:
  explicit ForgetfulUplink(std::unique_ptr<sync::Uplink> uplink) : uplink_(std::move(uplink)) {}
  const std::string& name() const override { return uplink_->name(); }
  std::string_view kind() const override { return uplink_->kind(); }
  sync::UplinkLimits limits() const override { return uplink_->limits(); }
  std::size_t window() const override { return uplink_->window(); }
  core::net::Awaitable<std::vector<sync::RowOutcome>> deliver(
      std::vector<sync::OutboxRow> rows) override {
    for (sync::OutboxRow& row : rows) row.perhaps_sent = false;
    return uplink_->deliver(std::move(rows));
  }
  core::net::Awaitable<sync::PullReport> pull() override { return uplink_->pull(); }
  void close() override { uplink_->close(); }

 private:
  std::unique_ptr<sync::Uplink> uplink_;
};

}  // namespace

Clinic::Clinic(std::string name, Region& region, MemoryRecords& records)
    : name_(std::move(name)), region_(region), records_(records), clock_(region.time) {
  records_.reset();
}

Clinic::~Clinic() {
  life_->alive = false;
  service_->stop();
}

void Clinic::start() {
  life_ = std::make_shared<Life>();
  life_->crash = [this] { crash(); };
  auto database =
      std::make_unique<LivingDatabase>(records_, life_, region_.time, region_.chance, clock_);
  sync::HoldingsOptions options;
  options.study_quiet = Milliseconds(0);
  options.worklist = worklist_options();
  auto audit = crypto::Audit::create(region_.keys);
  if (!audit.ok()) must(audit.error());
  auto holdings = sync::Holdings::of_records(core::system_files(), std::move(database),
                                             std::move(*audit), std::move(options));
  auto link = std::make_shared<LossyLink>(name_, region_.his, weather_, region_.time,
                                          region_.chance, life_, region_.late_writes, region_.note);
  auto uplink = sync::make_fhir_uplink({kUplink, kPollEvery, edited_types()}, std::move(link),
                                       holdings, clock_);
  if (is_on(Mutation::resend_unread)) uplink = std::make_unique<ForgetfulUplink>(std::move(uplink));
  std::vector<std::unique_ptr<sync::Uplink>> uplinks;
  uplinks.push_back(std::move(uplink));
  sync::ServiceSeams seams{std::make_unique<VirtualAlarm>(region_.time, life_),
                           region_.chance.next()};
  service_ = sync::SyncService::create(region_.time.loop().get_executor(), holdings,
                                       std::move(uplinks), clock_, std::move(seams));
  service_->start();
}

void Clinic::crash_in(int steps) { life_->steps_left = steps; }

void Clinic::crash() {
  life_->alive = false;
  region_.note(core::cat(name_, " crashes"));
  // The process is gone when control is back in the queue of events.
  region_.time.after(Milliseconds(0), [service = service_] { service->stop(); });
  region_.time.after(Milliseconds(region_.chance.between(1'000, 120'000)), [this] {
    region_.note(core::cat(name_, " starts"));
    start();
  });
}

void Clinic::write(const crypto::Change& change) { must(records_.apply(change)); }

std::int64_t Clinic::count(const std::string& sql) const {
  auto value = records_.connection().integer(sql);
  return value.ok() ? value->value_or(0) : -1;
}

std::string Clinic::text(const std::string& sql) const {
  auto value = records_.connection().text(sql);
  return value.ok() ? value->value_or("") : "";
}

std::vector<std::string> Clinic::keys(const std::string& type) const {
  std::vector<std::string> found;
  auto rows = records_.connection().query(
      "SELECT type || '/' || id FROM resource WHERE type = ? AND deleted = 0 ORDER BY id", type);
  if (!rows.ok()) return found;
  while (true) {
    auto more = rows->next();
    if (!more.ok() || !*more) return found;
    found.emplace_back(rows->text(0));
  }
}

Json Clinic::shown(const std::string& key) const {
  auto held = sync::read_resource(records_.connection(), *sync::parse_reference(key));
  return held.ok() && *held ? std::move((*held)->body) : Json();
}

std::string Clinic::their_key(const std::string& key) const {
  const auto ours = *sync::parse_reference(key);
  auto id = sync::server_id_of(records_.connection(), kUplink, ours);
  return id.ok() && !id->empty() ? core::cat(ours.type, '/', *id) : key;
}

std::string Clinic::our_key(const std::string& their_key) const {
  auto ours = sync::our_key_of(records_.connection(), kUplink, *sync::parse_reference(their_key));
  return ours.ok() ? ours->text() : their_key;
}

void Clinic::enter(const std::string& key, const Json& before, const Json& after) {
  enter({{key, before, after}});
}

void Clinic::enter(const std::vector<Entry>& together) {
  const std::string now = core::to_instant(clock_.wall());
  write([&](Connection& connection) -> core::Status {
    for (const Entry& entry : together) {
      const sync::ResourceKey parsed = *sync::parse_reference(entry.key);
      if (entry.after.is_null()) {
        GW_CHECK(sync::delete_resource(connection, parsed, "clinic", now));
      } else {
        GW_CHECK(sync::put_resource(connection, parsed, entry.after, "clinic", now));
      }
      GW_CHECK(sync::queue_row(connection, kUplink, "resource", entry.key, 0, std::nullopt, now));
    }
    return {};
  });
  for (const Entry& entry : together) {
    const std::string after = entry.after.dump();
    region_.ledger.edited(entry.key, entry.before.dump(), after);
    region_.note(core::cat(name_, " enters ", entry.key, " ", after));
  }
  if (life_->alive) service_->wake();
}

std::vector<std::int64_t> Clinic::reviews(bool open_only) const {
  std::vector<std::int64_t> numbers;
  auto rows = records_.connection().query(
      "SELECT number FROM review WHERE state = 'open' OR ? ORDER BY number", open_only ? 0 : 1);
  if (!rows.ok()) return numbers;
  while (true) {
    auto more = rows->next();
    if (!more.ok() || !*more) return numbers;
    numbers.push_back(rows->integer(0));
  }
}

bool Clinic::decide_review(std::int64_t number, sync::GroupAnswer::Take take) {
  const std::string key =
      text(core::cat("SELECT type || '/' || id FROM review WHERE number = ", number));
  const std::string before = shown(key).dump();
  std::string told = text(core::cat("SELECT decisions FROM review WHERE number = ", number));
  sync::ReviewAnswer answer;
  answer.otherwise.take = take;
  const auto decide = [&] {
    return records_.apply([&](Connection& connection) {
      return sync::decide_review(connection,
                                 {region_.audit, worklist_options(), "operator", clock_.wall()},
                                 number, answer);
    });
  };
  core::Status decided = decide();
  if (!decided.ok() && decided.error().code() == core::Code::exists) {
    // Changed since: they look at what is held now, and mean it.
    const auto report = sync::review_report(records_.connection(), number);
    if (!report.ok()) return false;
    told = (*report)["decisions"].dump();
    answer.seen = (*report)["held_version"].integer().value_or(0);
    decided = decide();
  }
  if (!decided.ok()) return false;
  const std::string after = shown(key).dump();
  region_.ledger.edited(key, before, told, after);
  region_.note(core::cat(name_, " decides ", key, ": ", after));
  if (life_->alive) service_->wake();
  return true;
}

void Clinic::retry_parked() {
  write([](Connection& connection) -> core::Status {
    GW_CHECK(sync::retry_parked(connection, 0));
    return {};
  });
  if (life_->alive) service_->wake();
}

std::string Clinic::review_text(const std::string& key) const {
  const auto parsed = *sync::parse_reference(key);
  std::string all;
  auto rows = records_.connection().query("SELECT decisions FROM review WHERE type = ? AND id = ?",
                                          parsed.type, parsed.id);
  if (!rows.ok()) return all;
  while (true) {
    auto more = rows->next();
    if (!more.ok() || !*more) return all;
    all += rows->text(0);
  }
}

}  // namespace gateway::sim
