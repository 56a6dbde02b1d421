#include "tests/sim/schedule.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "core/text.h"
#include "tests/sim/clinic.h"
#include "tests/sim/oracle.h"

namespace gateway::sim {
namespace {

using core::Json;
using core::Milliseconds;

constexpr int kOperations = 200;
constexpr int kFaults = 20;
constexpr Milliseconds kLength{5'400'000};
constexpr Milliseconds kRound{1'240'000};          // longer than a gateway waits between two pulls
constexpr Milliseconds kDeletionsSeen{7'200'000};  // the gateway looks for them every half hour
constexpr int kRoundsMax = 15;

HisManners manners(Chance& chance) {
  HisManners made;
  made.knows_if_none_match = chance.percent(60);
  made.conflict_is_409 = chance.percent(40);
  made.tells_version = chance.percent(85);
  made.whole_seconds = chance.percent(50);
  made.pages_by_offset = chance.percent(40);
  made.page_max = chance.percent(50) ? 100 : static_cast<std::size_t>(chance.between(3, 12));
  made.takes_batch = chance.percent(60);
  made.takes_transaction = chance.percent(60);
  made.entries_max = chance.percent(70) ? 500 : static_cast<std::size_t>(chance.between(1, 6));
  made.unpacks = chance.percent(50);
  made.keeps_client_ids = chance.percent(75);
  return made;
}

class Schedule {
 public:
  Schedule(Ground& ground, std::uint64_t seed, bool prints)
      : prints_(prints),
        chance_(seed),
        manners_(manners(chance_)),
        his_(manners_, [this] { return wall_at(time_.now()); }),
        region_{time_, his_, ledger_, chance_, *ground.keys, ground.audit,
                // A server that gives ids of its own makes anew what was deleted meanwhile.
                manners_.knows_if_none_match && manners_.keeps_client_ids,
                [this](const std::string& what) { note(what); }} {
    verdict_.seed = seed;
    verdict_.trace = 0xcbf29ce484222325u;
    seed_ids(seed);
    for (std::size_t i = 0; i < kClinics; ++i)
      clinics_.push_back(
          std::make_unique<Clinic>(core::cat("clinic-", i + 1), region_, ground.records[i]));
  }
  ~Schedule() {
    clinics_.clear();
    time_.clear();
  }

  Verdict run() {
    populate();
    for (auto& clinic : clinics_) clinic->start();
    plan();
    const core::Monotonic end = time_.now() + kLength;
    while (time_.step(end)) {
    }
    heal();
    const bool rests = come_to_rest();
    judge_result(rests, {clinics_, his_, ledger_, region_.audit}, verdict_);
    for (auto& clinic : clinics_) verdict_.faults += clinic->weather().befallen;
    return verdict_;
  }

 private:
  void note(const std::string& what) {
    const auto at =
        std::chrono::duration_cast<Milliseconds>(time_.now().time_since_epoch()).count();
    const std::string line = core::cat(at, ' ', what, '\n');
    for (const char c : line) {
      verdict_.trace ^= static_cast<unsigned char>(c);
      verdict_.trace *= 0x100000001b3u;
    }
    if (prints_) std::fputs(line.c_str(), stdout);
  }
  std::string new_id() { return core::cat("r", ++resources_made_); }
  Author author(bool is_his) { return Author{chance_, ledger_, is_his}; }

  /// What the hospital held before anything went wrong.
  void populate() {
    for (int i = 0; i < 4; ++i) {
      Author who = author(true);
      const std::string id = new_id();
      his_enters(core::cat("Patient/", id), Json(), new_patient(who, id));
    }
    for (int i = 0; i < 8; ++i) his_creates();
  }

  void plan() {
    for (int i = 0; i < kOperations; ++i)
      time_.after(Milliseconds(chance_.between(0, kLength.count())), [this] { operate(); });
    for (int i = 0; i < kFaults; ++i)
      time_.after(Milliseconds(chance_.between(0, kLength.count() * 9 / 10)), [this] { fail(); });
    for (auto& clinic : clinics_) {
      const auto length = Milliseconds(chance_.between(150'000, 2'700'000));
      time_.after(Milliseconds(chance_.between(0, kLength.count() / 2)),
                  [this, &clinic = *clinic, length] { lose_link(clinic, length); });
    }
  }

  void operate() {
    ++verdict_.operations;
    if (chance_.percent(25)) {
      chance_.percent(20) ? his_creates() : his_changes();
      return;
    }
    Clinic& clinic = *clinics_[chance_.below(kClinics)];
    const std::size_t what = chance_.below(100);
    if (what < 5) {
      clinic_registers(clinic);
    } else if (what < 20) {
      clinic_creates(clinic);
    } else if (what < 27) {
      const auto open = clinic.reviews(true);
      if (!open.empty()) clinic.decide_review(chance_.of(open), any_choice());
    } else {
      clinic_changes(clinic);
    }
  }
  sync::GroupAnswer::Take any_choice() {
    using Take = sync::GroupAnswer::Take;
    constexpr std::array kTakes = {Take::ours, Take::theirs, Take::merged, Take::held};
    return kTakes[chance_.below(kTakes.size())];
  }

  std::vector<std::string> his_keys(const std::string& type) const {
    std::vector<std::string> keys;
    for (const auto& [key, versions] : his_.all()) {
      if (key.starts_with(type + "/") && !versions.back().body.is_null()) keys.push_back(key);
    }
    return keys;
  }
  const std::string& any_type() { return chance_.of(edited_types()); }
  Milliseconds commit_time() {
    return Milliseconds(chance_.percent(30) ? chance_.between(0, 120'000) : 0);
  }

  void his_enters(const std::string& key, const Json& before, const Json& after) {
    ledger_.edited(key, before.dump(), after.dump());
    his_.edit(key, after, commit_time());
    note(core::cat("his enters ", key, " ", after.dump()));
  }
  void his_creates() {
    Author who = author(true);
    const std::string type = edited_types()[1 + chance_.below(edited_types().size() - 1)];
    const auto orders = his_keys("ServiceRequest");
    const std::string id = new_id();
    his_enters(core::cat(type, "/", id), Json(),
               new_record(who, type, id, chance_.of(his_keys("Patient")),
                          orders.empty() ? "" : chance_.of(orders)));
  }
  void his_changes() {
    const auto keys = his_keys(any_type());
    if (keys.empty()) return;
    const std::string& key = chance_.of(keys);
    const Json before = his_.newest(key)->body;
    if (is_left_alone(key) && chance_.percent(8)) return his_enters(key, before, Json());
    Author who = author(true);
    const Json after = key.starts_with("Patient/") && chance_.percent(15)
                           ? relinked(before, chance_.of(his_keys("Patient")))
                           : changed(who, before);
    if (after != before) his_enters(key, before, after);
  }
  /// Nothing refers to it, so it may be deleted.
  static bool is_left_alone(const std::string& key) {
    return !key.starts_with("Patient/") && !key.starts_with("ServiceRequest/");
  }
  /// A merge of patients, or its undoing.
  static Json relinked(Json patient, const std::string& survivor) {
    if (!patient.erase("link") && survivor != core::cat("Patient/", patient["id"].text())) {
      Json link = Json::object(
          {{"other", Json::object({{"reference", survivor}})}, {"type", "replaced-by"}});
      patient.set("link", Json::array({std::move(link)}));
    }
    return patient;
  }

  /// Two who know each other: neither can be told of before the other.
  void clinic_registers_relatives(Clinic& clinic) {
    Author who = author(false);
    const std::string one = new_id();
    const std::string other = new_id();
    Json first = linked(new_patient(who, one), other);
    Json second = linked(new_patient(who, other), one);
    clinic.enter({{core::cat("Patient/", one), Json(), std::move(first)},
                  {core::cat("Patient/", other), Json(), std::move(second)}});
  }
  static Json linked(Json patient, const std::string& other) {
    const std::string reference = core::cat("Patient/", other);
    Json link =
        Json::object({{"other", Json::object({{"reference", reference}})}, {"type", "seealso"}});
    patient.set("link", Json::array({std::move(link)}));
    return patient;
  }
  void clinic_registers(Clinic& clinic) {
    const bool takes_circles = manners_.takes_transaction && manners_.entries_max > 1;
    if (takes_circles && chance_.percent(25)) return clinic_registers_relatives(clinic);
    Author who = author(false);
    const std::string id = new_id();
    const std::string patient = core::cat("Patient/", id);
    clinic.enter(patient, Json(), new_patient(who, id));
    const std::string record = new_id();
    clinic.enter(core::cat("ServiceRequest/", record), Json(),
                 new_record(who, "ServiceRequest", record, patient, ""));
  }
  void clinic_creates(Clinic& clinic) {
    const auto patients = clinic.keys("Patient");
    if (patients.empty()) return;
    const auto orders = clinic.keys("ServiceRequest");
    Author who = author(false);
    const std::string type = edited_types()[1 + chance_.below(edited_types().size() - 1)];
    const std::string id = new_id();
    clinic.enter(
        core::cat(type, "/", id), Json(),
        new_record(who, type, id, chance_.of(patients), orders.empty() ? "" : chance_.of(orders)));
  }
  void clinic_changes(Clinic& clinic) {
    const auto keys = clinic.keys(any_type());
    if (keys.empty()) return;
    const std::string& key = chance_.of(keys);
    const Json before = clinic.shown(key);
    if (is_left_alone(key) && chance_.percent(4)) return clinic.enter(key, before, Json());
    Author who = author(false);
    const Json after = changed(who, before);
    if (after != before) clinic.enter(key, before, after);
  }

  void fail() {
    Clinic& clinic = *clinics_[chance_.below(kClinics)];
    const std::size_t what = chance_.below(100);
    if (what < 15) {
      ++verdict_.faults;
      clinic.crash_in(static_cast<int>(chance_.between(0, 60)));
    } else if (what < 23) {
      ++verdict_.faults;
      clinic.clock().jump(Milliseconds(chance_.between(-2'000'000'000, 2'000'000'000)));
      note(core::cat(clinic.name(), " has its clock jump"));
    } else if (what < 30) {
      lose_link(clinic, Milliseconds(chance_.between(5'000, 1'800'000)));
    } else {
      clinic.weather().to_come.emplace_back(static_cast<Fate>(chance_.below(kFates)),
                                            chance_.percent(70));
    }
  }
  void lose_link(Clinic& clinic, Milliseconds length) {
    ++verdict_.faults;
    clinic.weather().is_down = true;
    note(core::cat(clinic.name(), " loses its link"));
    time_.after(length, [this, &clinic] {
      clinic.weather().is_down = false;
      note(core::cat(clinic.name(), " has its link again"));
      // The catching up after days without a link is when most is at stake.
      if (!healed_ && chance_.percent(25)) {
        ++verdict_.faults;
        clinic.crash_in(static_cast<int>(chance_.between(5, 120)));
      }
    });
  }

  void heal() {
    healed_ = true;
    note("all is well");
    for (auto& clinic : clinics_) {
      clinic->weather().is_down = false;
      clinic->stay_up();
    }
  }
  /// Nothing queued, nothing held back, and nothing changed for a whole round of pulls.
  bool come_to_rest() {
    std::int64_t changes = -1;
    const core::Monotonic begin = time_.now();
    for (int round = 0; round < kRoundsMax; ++round) {
      for (auto& clinic : clinics_) clinic->retry_parked();
      const core::Monotonic end = time_.now() + kRound;
      while (time_.step(end)) {
      }
      const bool is_empty = std::ranges::all_of(clinics_, [](const auto& clinic) {
        return clinic->count("SELECT count(*) FROM outbox") == 0;
      });
      const bool has_seen_deletions = time_.now() - begin > kDeletionsSeen;
      if (is_empty && has_seen_deletions && changes == his_.changes()) return true;
      changes = his_.changes();
    }
    return false;
  }

  bool prints_;
  bool healed_ = false;
  Verdict verdict_;
  Chance chance_;
  VirtualTime time_;
  HisManners manners_;
  ModelHis his_;
  Ledger ledger_;
  Region region_;
  std::int64_t resources_made_ = 0;
  std::vector<std::unique_ptr<Clinic>> clinics_;
};

}  // namespace

Verdict run_schedule(Ground& ground, std::uint64_t seed, bool prints) {
  return Schedule(ground, seed, prints).run();
}

}  // namespace gateway::sim
