// A gateway's holdings in a folder of the test's own: the real database, sealed objects and
// keyring.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>

#include "core/clock.h"
#include "core/files.h"
#include "core/text.h"
#include "sync/fhir_pull.h"
#include "sync/holdings.h"
#include "sync/imaging.h"
#include "sync/outbox.h"
#include "sync/replica.h"
#include "sync/reports.h"
#include "sync/review.h"
#include "sync/worklist.h"
#include "tests/sync/part10_file.h"

namespace gateway::sync {

using core::Json;
using crypto::Connection;

inline constexpr char kIssuer[] = "urn:oid:2.25.1";
inline constexpr char kNow[] = "2026-03-01T08:00:00.000Z";

/// Its monotonic time stands still: a keyring then chooses the least passphrase cost, not half a
/// second of this machine.
class StoppedClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return {}; }
  core::Wall wall() const override { return core::system_clock().wall(); }
};

/// One real keyring for all cases.
class BorrowedKeyring final : public crypto::Keyring {
 public:
  inline static std::atomic<std::uint32_t> pretended_lost = 0;  // an epoch
  explicit BorrowedKeyring(crypto::Keyring& lent) : lent_(lent) {}
  std::vector<crypto::SlotInfo> slots() const override { return lent_.slots(); }
  crypto::SlotInfo opened_by() const override { return lent_.opened_by(); }
  std::string protection() const override { return lent_.protection(); }
  core::Result<crypto::SlotInfo> add_slot(const crypto::NewSlot& wanted) override {
    return lent_.add_slot(wanted);
  }
  core::Status remove_slot(const std::string& id) override { return lent_.remove_slot(id); }
  core::Result<crypto::SlotInfo> prove(const crypto::SlotOpener& opener) override {
    return lent_.prove(opener);
  }
  core::Result<crypto::Secret> derived_key(std::string_view purpose) const override {
    return lent_.derived_key(purpose);
  }
  core::Result<crypto::Secret> derived_key_of(std::uint32_t root,
                                              std::string_view purpose) const override {
    return lent_.derived_key_of(root, purpose);
  }
  crypto::RootState root() const override { return lent_.root(); }
  core::Result<std::string> box() const override { return lent_.box(); }
  core::Status begin_root(const std::set<std::uint32_t>& given_up) override {
    return lent_.begin_root(given_up);
  }
  core::Status end_root() override { return lent_.end_root(); }
  core::Result<std::uint32_t> current_epoch() override { return lent_.current_epoch(); }
  core::Result<crypto::Secret> epoch_key(std::uint32_t epoch) const override {
    return lent_.epoch_key(epoch);
  }
  core::Result<std::vector<std::uint32_t>> epochs() const override { return lent_.epochs(); }
  core::Result<std::uint32_t> begin_epoch() override { return lent_.begin_epoch(); }
  core::Status remember_epochs() override { return lent_.remember_epochs(); }
  std::vector<std::uint32_t> lost_epochs() const override {
    const std::uint32_t pretended = pretended_lost;
    return pretended == 0 ? lent_.lost_epochs() : std::vector<std::uint32_t>{pretended};
  }
  core::Status retire_epoch(std::uint32_t epoch) override { return lent_.retire_epoch(epoch); }

 private:
  crypto::Keyring& lent_;
};

inline std::string make_folder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "gateway-records-XXXXXX").string();
  return ::mkdtemp(pattern.data()) ? pattern : std::string();
}

/// What take_in() stores is text: study, instance and pixels between bars, and perhaps name and
/// birth date.
inline core::Result<InstanceFacts> read_test_facts(
    const std::string& transfer_syntax_uid,
    const std::function<core::Result<std::span<const std::byte>>()>& next) {
  GW_TRY(const auto bytes, next());
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto first = text.find('|');
  const auto second = text.find('|', first + 1);
  InstanceFacts facts;
  facts.transfer_syntax_uid = transfer_syntax_uid;
  facts.study_instance_uid = text.substr(0, first);
  facts.series_instance_uid = facts.study_instance_uid + ".1";
  facts.sop_instance_uid = text.substr(first + 1, second - first - 1);
  facts.patient_id = "P1";
  facts.patient_name = "Roe^Jane";
  facts.birth_date = "19800102";
  if (const auto third = text.find('|', second + 1); third != text.npos) {
    const auto fourth = text.find('|', third + 1);
    facts.patient_name = text.substr(third + 1, fourth - third - 1);
    facts.birth_date = text.substr(fourth + 1);
  }
  return facts;
}

class RecordsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    keyring_folder_ = make_folder();
    const crypto::Passphrase passphrase{
        crypto::Secret::copy_of(std::string_view("a test's passphrase"))};
    auto made = crypto::Keyring::create(core::system_files(), keyring_folder_ + "/keyring",
                                        passphrase, keyring_clock_);
    ASSERT_TRUE(made.ok()) << made.error().message();
    keyring_ = std::move(*made);
  }
  static void TearDownTestSuite() {
    keyring_.reset();
    std::filesystem::remove_all(keyring_folder_);
  }

  void SetUp() override {
    folder_ = make_folder();
    ASSERT_FALSE(folder_.empty());
    open();
  }
  void TearDown() override {
    held_.reset();
    std::filesystem::remove_all(folder_);
  }

  HoldingsOptions options() const {
    HoldingsOptions options;
    options.state_folder = folder_;
    options.ingest = {kIssuer, image_uplinks_, fhir_uplinks_, "Europe/Madrid", routes_};
    options.worklist.patient_id_issuer = kIssuer;
    options.worklist.time_zone = "Europe/Madrid";
    options.worklist.accession_prefix = "GW";
    options.backup_folder = backup_folder_;
    options.reserve_bytes = reserve_bytes_;
    options.read_facts = read_test_facts;
    options.write_anew = write_anew_;
    return options;
  }
  core::Status reopen(core::Files& files = core::system_files()) {
    held_.reset();
    auto held = Holdings::open(files, std::make_unique<BorrowedKeyring>(*keyring_),
                               core::system_clock(), options());
    if (!held.ok()) return held.error();
    held_ = *held;
    return {};
  }
  void open() {
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
  }

  void lose_database() {
    held_.reset();
    for (const char* name : {"gateway.db", "gateway.db-wal", "gateway.db-shm"})
      std::filesystem::remove(folder_ + "/" + name);
  }

  static InstanceFacts facts(const std::string& study, const std::string& instance) {
    InstanceFacts f;
    f.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
    f.sop_instance_uid = instance;
    f.study_instance_uid = study;
    f.series_instance_uid = study + ".1";
    f.transfer_syntax_uid = "1.2.840.10008.1.2.1";
    f.patient_id = "P1";
    f.patient_name = "Roe^Jane";
    f.birth_date = "19800102";
    f.sex = "F";
    f.modality = "CT";
    f.study_date = "20260301";
    f.study_time = "091500";
    f.instance_number = "1";
    return f;
  }

  /// An image as it lies on the disk: with its File Meta Information, for rebuilding the index.
  void take_in(const std::string& study, const std::string& uid, const std::string& pixels,
               const std::string& called = "GW") {
    const std::string head = part10_head(uid, "CT_ROOM1", called);
    const std::string file = core::cat(head, study, '|', uid, '|', pixels);
    auto writer = held_->ingest().begin_object();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->append(std::as_bytes(std::span(file.data(), file.size()))).ok());
    ASSERT_TRUE(
        held_->ingest()
            .store({facts(study, uid), {}, head.size(), "CT_ROOM1", called, "127.0.0.1"}, **writer)
            .ok());
  }

  StoreOutcome store(const InstanceFacts& f, std::string_view bytes,
                     const std::string& called = "GATEWAY") {
    auto writer = held_->ingest().begin_object();
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->append(std::as_bytes(std::span(bytes))).ok());
    auto outcome = held_->ingest().store({f, {}, 0, "CT1", called, "127.0.0.1"}, **writer);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return *outcome;
  }

  void write(const crypto::Change& change) {
    const auto status = held_->database().write(change);
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  std::int64_t count(const std::string& sql) {
    auto value = held_->database().read_value<std::optional<std::int64_t>>(
        [&](Connection& c) { return c.integer(sql); });
    EXPECT_TRUE(value.ok()) << value.error().message();
    return value.ok() ? value->value_or(-1) : -1;
  }
  std::string text(const std::string& sql) {
    auto value = held_->database().read_value<std::optional<std::string>>(
        [&](Connection& c) { return c.text(sql); });
    EXPECT_TRUE(value.ok()) << value.error().message();
    return value.ok() ? value->value_or("<none>") : "<error>";
  }
  Applied pull(std::string_view json) {
    auto resource = Json::parse(json);
    EXPECT_TRUE(resource.ok()) << resource.error().message();
    Applied applied = Applied::unchanged;
    write([&](Connection& c) -> core::Status {
      const Reconciling with{held_->audit(), core::system_clock(), "his"};
      GW_TRY(applied, apply_pulled(c, with, *resource, held_->options().worklist));
      return {};
    });
    return applied;
  }
  Deciding deciding(std::string actor) const {
    return {held_->audit(), held_->options().worklist, std::move(actor),
            core::system_clock().wall()};
  }
  core::Status answer(std::int64_t number, const ReviewAnswer& answer) {
    return held_->database().write(
        [&](Connection& c) { return decide_review(c, deciding("user:nurse"), number, answer); });
  }
  /// One side of every group of the review that is asked about.
  void decide_all(std::int64_t number, GroupAnswer::Take take) {
    ReviewAnswer all;
    all.otherwise.take = take;
    const auto decided = answer(number, all);
    ASSERT_TRUE(decided.ok()) << decided.error().message();
  }
  std::vector<WorklistStep> worklist(const WorklistSelection& selection = {}) {
    std::vector<WorklistStep> steps;
    const auto found = held_->database().read([&](Connection& c) {
      return find_worklist(c, selection, [&](WorklistStep step) {
        steps.push_back(std::move(step));
        return true;
      });
    });
    EXPECT_TRUE(found.ok()) << found.error().message();
    return steps;
  }
  Json study_resource() {
    auto made = held_->database().read_value<Json>([&](Connection& c) -> core::Result<Json> {
      GW_TRY(const auto id, c.text("SELECT imaging_study_id FROM dicom_study"));
      return imaging_study_resource(c, *id, "Europe/Madrid");
    });
    EXPECT_TRUE(made.ok());
    return *made;
  }
  Claim claim(const std::string& uplink, std::size_t rows_max = 10) {
    Claim made;
    write([&](Connection& c) -> core::Status {
      GW_TRY(made, claim_rows(c, uplink, {rows_max, 1u << 30, {}, nullptr}));
      return {};
    });
    return made;
  }
  void record(const std::string& uplink, Verdict verdict) {
    write([&](Connection& c) { return record_verdicts(c, uplink, {verdict}, kNow); });
  }

  static constexpr std::string_view kPatient =
      R"({"resourceType":"Patient","id":"p1","meta":{"versionId":"1"},"identifier":[{"system":"urn:oid:2.25.1","value":"P1"}],)"
      R"("name":[{"family":"Roe","given":["Jane"]}],"gender":"female","birthDate":"1980-01-02"})";
  static constexpr std::string_view kOrder =
      R"({"resourceType":"ServiceRequest","id":"s1","meta":{"versionId":"1"},"status":"active","intent":"order","priority":"stat",)"
      R"("identifier":[{"type":{"coding":[{"code":"ACSN"}]},"value":"ACC-7"}],)"
      R"("category":[{"coding":[{"system":"http://snomed.info/sct","code":"363679005"}]}],)"
      R"("code":{"coding":[{"system":"http://loinc.org","code":"24627-2","display":"CT Chest"}],"text":"CT of the chest"},)"
      R"("orderDetail":[{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"}]}],)"
      R"("subject":{"reference":"Patient/p1"},"occurrenceDateTime":"2026-03-01T09:30:00Z","requester":{"display":"Dr. Gil"}})";

  static inline const StoppedClock keyring_clock_;
  static inline std::string keyring_folder_;
  static inline std::unique_ptr<crypto::Keyring> keyring_;
  std::string folder_;
  std::string backup_folder_;
  WriteAnew write_anew_;  // before open()
  std::uint64_t reserve_bytes_ = 0;
  std::vector<std::string> image_uplinks_{"pacs"};
  std::vector<std::string> fhir_uplinks_{"his"};
  std::vector<RouteRule> routes_;
  std::shared_ptr<Holdings> held_;
};

}  // namespace gateway::sync
