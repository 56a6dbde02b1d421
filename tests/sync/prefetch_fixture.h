// Prefetching into the real store from a PACS that is asked over HTTP.
#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>

#include "core/civil_time.h"
#include "sync/prefetch.h"
#include "tests/sync/upkeep_fixture.h"

namespace gateway::sync {

inline constexpr std::uint64_t kQuota = 1'000'000;

/// Its durations can be passed over.
class PassingClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return core::system_clock().monotonic() + passed; }
  core::Wall wall() const override { return core::system_clock().wall(); }
  core::Milliseconds passed{0};
};

inline std::string day_ago(int days) {
  const auto then = std::chrono::system_clock::now() - std::chrono::hours(24 * days);
  return core::to_dicom_time(core::to_instant(then), "UTC").date;
}

/// What the PACS says of a study.
struct Theirs {
  std::string name = "Roe^Jane";
  std::string id = "P1";
  std::string issuer = {};
  std::string birth_date = "19800102";
  std::string date = day_ago(30);
  std::vector<std::string> instances = {};
};

class PrefetchTest : public UpkeepTest {
 protected:
  void SetUp() override {
    UpkeepTest::SetUp();
    server_ = std::make_unique<fakes::TlsServer>(fakes::TlsServerOptions{},
                                                 [this](fakes::ServedConnection& connection) {
                                                   while (auto request = connection.read_request())
                                                     serve(connection, request->head);
                                                 });
    prefetch_.uplink = "pacs";
    prefetch_.policy = {
        .quota_bytes = kQuota, .studies_max = 3, .years_max = 5, .ahead = std::chrono::hours(24)};
    pull(kPatient);
    schedule("s1", std::chrono::hours(2));
  }

  /// An order for a CT, to be done in so many hours.
  void schedule(const std::string& id, core::Milliseconds from_now, int version = 1,
                const std::string& patient = "p1") {
    auto order = *Json::parse(kOrder);
    order.set("id", id);
    order.set("identifier", Json::array());
    order.set("meta", Json::object({{"versionId", std::to_string(version)}}));
    order.set("occurrenceDateTime", core::to_instant(std::chrono::system_clock::now() + from_now));
    order.set("subject", Json::object({{"reference", "Patient/" + patient}}));
    pull(order.dump());
  }
  /// Another patient, of the same birth date.
  void register_patient(const std::string& id, const std::string& value,
                        const std::string& family) {
    auto patient = *Json::parse(kPatient);
    patient.set("id", id);
    patient.set("identifier", Json::array({Json::object({{"system", kIssuer}, {"value", value}})}));
    patient.set("name", Json::array({Json::object({{"family", family}})}));
    pull(patient.dump());
  }

  /// A study at the PACS, its instances numbered from 1 on.
  void at_pacs_study(const std::string& study, int instances, const std::string& pixels = "prior",
                     Theirs theirs = {}) {
    for (int i = 1; i <= instances; ++i) {
      const std::string uid = core::cat(study, ".", i);
      theirs.instances.push_back(uid);
      at_pacs(uid, core::cat(part10_head(uid), study, '|', uid, '|', pixels));
    }
    const std::lock_guard lock(mutex_);
    studies_[study] = std::move(theirs);
  }

  void not_at_pacs_study(const std::string& study) {
    const std::lock_guard lock(mutex_);
    studies_.erase(study);
  }

  void serve(fakes::ServedConnection& connection, const std::string& head) {
    const std::string target = head.substr(4, head.find(" HTTP/") - 4);
    if (is_failing(target)) {
      connection.write("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    if (target.find('?') == target.npos) {
      if (stops_at_an_instance_) is_stopping_ = true;
      if (!is_cut_ && --serves_left_ >= 0) return answer(connection, head);
      is_cut_ = true;
      connection.write("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const std::lock_guard lock(mutex_);
    queries_.push_back(target);
    Json list = Json::array();
    const auto value = [](const char* vr, const std::string& text) {
      return Json::object({{"vr", vr}, {"Value", Json::array({text})}});
    };
    for (const auto& [study, theirs] : studies_) {
      if (target.find("/instances") == target.npos) {
        list.add(Json::object(
            {{"0020000D", value("UI", study)},
             {"00080020", value("DA", theirs.date)},
             {"00100020", value("LO", theirs.id)},
             {"00100021", value("LO", theirs.issuer)},
             {"00100030", value("DA", theirs.birth_date)},
             {"00100010", Json::object({{"vr", "PN"},
                                        {"Value", Json::array({Json::object(
                                                      {{"Alphabetic", theirs.name}})})}})},
             {"00080061", value("CS", "CT")}}));
      } else if (target.find(core::cat("/", study, "/")) != target.npos) {
        for (const std::string& uid : theirs.instances)
          list.add(Json::object(
              {{"0020000E", value("UI", study + ".1")}, {"00080018", value("UI", uid)}}));
      }
    }
    connection.answer(page_of(list, target).dump(), "Content-Type: application/dicom+json\r\n");
  }
  /// A server's own limit may be lower than what was asked for.
  Json page_of(const Json& list, const std::string& target) const {
    if (page_max_ == 0) return list;
    const auto at = target.find("offset=");
    const std::size_t offset = at == target.npos ? 0 : std::stoul(target.substr(at + 7));
    Json page = Json::array();
    for (std::size_t i = offset; i < list.size() && page.size() < page_max_; ++i) page.add(list[i]);
    return page;
  }

  /// The next answers to targets with these words are 500.
  void fail_at(const std::string& words, int times) {
    const std::lock_guard lock(mutex_);
    failing_[words] = times;
  }
  bool is_failing(const std::string& target) {
    const std::lock_guard lock(mutex_);
    for (auto& [words, times] : failing_)
      if (target.find(words) != target.npos && times > 0) return times-- > 0;
    return false;
  }

  /// Rounds until nothing is left to do.
  void fetch_all() { EXPECT_FALSE(fetch(50)); }
  /// So many rounds at most. True: there may be more to do.
  bool fetch(int rounds) {
    boost::asio::io_context loop;
    PacsClients pacs(loop.get_executor(), options_.connect);
    const PrefetchSetting setting{held_,
                                  files_,
                                  clock_,
                                  prefetch_,
                                  free_at_least_,
                                  pacs,
                                  [this] { return is_stopping_.load(); }};
    bool more = true;
    for (; more && rounds > 0; --rounds) {
      loop.restart();
      boost::asio::co_spawn(loop, one_round(setting, &more),
                            [&loop](const std::exception_ptr&) { loop.stop(); });
      loop.run();  // not until the idle connection is closed
    }
    pacs.close();
    loop.restart();
    loop.run();
    return more;
  }
  /// What the PACS fails at rests between; until it is given up.
  void fetch_until_given_up() {
    for (int i = 0; i < 10; ++i) {
      fetch_all();
      clock_.passed += std::chrono::minutes(11);
    }
  }
  core::net::Awaitable<void> one_round(const PrefetchSetting& setting, bool* more) {
    const auto done = co_await prefetch_round(setting, failures_, report_);
    EXPECT_TRUE(done.ok()) << done.error().message();
    *more = done.ok() && *done;
  }

  /// The PACS has a study of an instance of so many bytes instead, and a new visit wants it.
  void want_instead(const std::string& study, const std::string& other, std::size_t bytes,
                    const std::string& visit) {
    not_at_pacs_study(study);
    at_pacs_study(other, 1, std::string(bytes, 'b'));
    schedule(visit, std::chrono::hours(3));
    fetch_all();
  }

  std::string held() {
    return text(
        "SELECT coalesce(group_concat(sop_instance_uid), '') FROM (SELECT sop_instance_uid FROM"
        " dicom_instance WHERE state = 'held' ORDER BY sop_instance_uid)");
  }
  int lookups() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::ranges::count_if(queries_, [](const std::string& target) {
      return target.find("/studies?") != target.npos && target.ends_with("&offset=0");
    }));
  }

  std::map<std::string, Theirs> studies_;  // guarded by mutex_
  std::vector<std::string> queries_;       // guarded by mutex_
  std::map<std::string, int> failing_;     // guarded by mutex_
  std::size_t page_max_ = 0;               // matches in a page at most; 0: all there are
  std::atomic<bool> stops_at_an_instance_ = false;
  std::atomic<bool> is_stopping_ = false;
  PassingClock clock_;
  std::atomic<int> serves_left_ = 1'000;  // instances, before the link is cut
  std::atomic<bool> is_cut_ = false;
  PrefetchOptions prefetch_;
  std::uint64_t free_at_least_ = 0;
  PrefetchFailures failures_;
  PrefetchReport report_;
};

}  // namespace gateway::sync
