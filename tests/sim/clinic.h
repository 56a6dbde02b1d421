// One clinic: its records, its gateway's process (the real service, engine, uplink, push, pull and
// merge), its link and its people.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/audit.h"
#include "crypto/keyring.h"
#include "sync/review.h"
#include "sync/service.h"
#include "tests/sim/clinical_edits.h"
#include "tests/sim/lossy_link.h"
#include "tests/sim/memory_records.h"
#include "tests/sim/model_his.h"
#include "tests/sim/virtual_time.h"

namespace gateway::sim {

inline constexpr char kUplink[] = "his";

/// Shared by the clinics of a schedule; outlives them.
struct Region {
  VirtualTime& time;
  ModelHis& his;
  Ledger& ledger;
  Chance& chance;
  const crypto::Keyring& keys;
  const crypto::Audit& audit;
  bool late_writes = true;
  std::function<void(const std::string&)> note;
};

class Clinic {
 public:
  Clinic(std::string name, Region& region, MemoryRecords& records);
  ~Clinic();

  const std::string& name() const { return name_; }
  Weather& weather() { return weather_; }
  ClinicClock& clock() { return clock_; }
  void start();
  /// The process ends before it takes `steps` more steps, and comes back a while later.
  void crash_in(int steps);
  void stay_up() { life_->steps_left = -1; }

  std::vector<std::string> keys(const std::string& type) const;
  /// What the clinic shows; null: nothing.
  core::Json shown(const std::string& key) const;
  /// What the hospital calls a resource held here, and the other way round.
  std::string their_key(const std::string& key) const;
  std::string our_key(const std::string& their_key) const;
  /// Somebody at the clinic stores `after` (null: deletes it) where they saw `before`
  /// (null: it is new).
  void enter(const std::string& key, const core::Json& before, const core::Json& after);
  struct Entry {
    std::string key;
    core::Json before;
    core::Json after;
  };
  /// The same of several at once.
  void enter(const std::vector<Entry>& together);
  /// Somebody decides the review, one way or the other; by what it shows, or, where that is refused
  /// because of what came since, by what is held now as well. False: it could not be decided.
  bool decide_review(std::int64_t number, sync::GroupAnswer::Take take);
  std::vector<std::int64_t> reviews(bool open_only) const;
  /// An operator has parked rows tried again.
  void retry_parked();
  std::int64_t count(const std::string& sql) const;
  std::string text(const std::string& sql) const;
  /// The decisions of all reviews of the resource.
  std::string review_text(const std::string& key) const;

 private:
  void crash();
  void write(const crypto::Change& change);

  std::string name_;
  Region& region_;
  MemoryRecords& records_;
  ClinicClock clock_;
  Weather weather_;
  std::shared_ptr<Life> life_;
  std::shared_ptr<sync::SyncService> service_;
};

}  // namespace gateway::sim
