#include "crypto/audit.h"

#include <gtest/gtest.h>

#include "core/text.h"
#include "crypto/audit_checkpoint.h"
#include "crypto/migrations.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::crypto {
namespace {

AuditEntry entry(int number) {
  return {at_month(2026, 3), "ae:CT_ROOM1", "store",  core::cat("ImagingStudy/", number),
          "Patient/7",       "192.0.2.10",  "success"};
}

class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::open(folder_ / "gateway.db", *shared_keyring().derived_key("database"),
                                 migrations());
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    database_ = std::move(*opened);
    for (int i = 0; i < 20; ++i) append(entry(i));
  }
  void append(const AuditEntry& row) {
    auto status =
        database_->write([&](Connection& connection) { return audit_.append(connection, row); });
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  AuditReport verify() {
    auto report = database_->read_value<AuditReport>(
        [&](Connection& connection) { return audit_.verify(connection); });
    EXPECT_TRUE(report.ok()) << report.error().message();
    return *report;
  }
  /// What somebody with the database key could do: the triggers are no obstacle to them.
  void tamper(std::string_view sql) {
    auto status = database_->write([&](Connection& connection) -> core::Status {
      GW_CHECK(connection.run("DROP TRIGGER IF EXISTS audit_is_never_edited"));
      GW_CHECK(connection.run("DROP TRIGGER IF EXISTS audit_is_never_deleted"));
      return connection.run(sql);
    });
    ASSERT_TRUE(status.ok()) << status.error().message();
  }

  ScratchFolder folder_;
  std::unique_ptr<Database> database_;
  Audit audit_ = Audit::create(shared_keyring()).value();
};

TEST_F(AuditTest, AnIntactChainVerifiesToItsHead) {
  const AuditReport report = verify();
  EXPECT_EQ(report.rows, 20u);
  EXPECT_FALSE(report.broken_at.has_value());
  EXPECT_EQ(report.head.sequence, 20);
  auto head = database_->read_value<AuditHead>([](Connection& c) { return Audit::head(c); });
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->mac, report.head.mac);
}

TEST_F(AuditTest, ClockGoingBackwardsIsNoBreak) {
  AuditEntry early = entry(99);
  early.at = at_month(1970, 1);
  append(early);
  EXPECT_EQ(verify().rows, 21u);
}

TEST_F(AuditTest, RowsAreNeitherEditedNorDeleted) {
  for (const char* sql : {"UPDATE audit SET actor = 'x' WHERE seq = 3", "DELETE FROM audit"}) {
    auto status = database_->write([&](Connection& connection) { return connection.run(sql); });
    EXPECT_FALSE(status.ok()) << sql;
  }
  EXPECT_EQ(verify().rows, 20u);
}

TEST_F(AuditTest, AnEditedRowIsFound) {
  tamper("UPDATE audit SET outcome = 'refused' WHERE seq = 7");
  EXPECT_EQ(verify().broken_at, 7);
}

TEST_F(AuditTest, TextMovedBetweenFieldsIsFound) {
  tamper("UPDATE audit SET actor = actor || 's', action = substr(action, 2) WHERE seq = 7");
  EXPECT_EQ(verify().broken_at, 7);
}

TEST_F(AuditTest, ARemovedRowIsFound) {
  tamper("DELETE FROM audit WHERE seq = 5");
  EXPECT_EQ(verify().broken_at, 5);
}

TEST_F(AuditTest, ARemovedRowIsFoundAlsoWhenTheRestIsRenumbered) {
  tamper("DELETE FROM audit WHERE seq = 5");
  tamper("UPDATE audit SET seq = seq - 1 WHERE seq > 5");
  EXPECT_EQ(verify().broken_at, 5);
}

TEST_F(AuditTest, RowsCutOffAtTheEndShowAgainstAnEarlierHead) {
  const AuditHead published = verify().head;
  tamper("DELETE FROM audit WHERE seq > 18");
  const AuditReport report = verify();
  EXPECT_FALSE(report.broken_at.has_value());
  EXPECT_LT(report.head.sequence, published.sequence);
}

TEST_F(AuditTest, ARowWithAForgedMacIsFound) {
  tamper(
      "INSERT INTO audit SELECT 21, at, actor, action, resource, patient, source, outcome, mac "
      "FROM audit WHERE seq = 20");
  EXPECT_EQ(verify().broken_at, 21);
}

TEST_F(AuditTest, AFailedChangeLeavesNoRowAndNoGap) {
  auto failed = database_->write([&](Connection& connection) -> core::Status {
    GW_CHECK(audit_.append(connection, entry(50)));
    return core::Error(core::Code::refused, "undone");
  });
  EXPECT_FALSE(failed.ok());
  append(entry(51));
  const AuditReport report = verify();
  EXPECT_EQ(report.rows, 21u);
  EXPECT_FALSE(report.broken_at.has_value());
}

TEST_F(AuditTest, VerifiesPieceByPieceToTheSameHead) {
  const AuditReport whole = verify();
  AuditHead head;
  std::uint64_t rows = 0;
  AuditReport piece;
  do {
    auto read = database_->read_value<AuditReport>(
        [&](Connection& connection) { return audit_.verify(connection, head, 7); });
    ASSERT_TRUE(read.ok());
    piece = *read;
    head = piece.head;
    rows += piece.rows;
  } while (piece.rows == 7);
  EXPECT_EQ(rows, 20u);
  EXPECT_EQ(head.mac, whole.head.mac);
}

TEST_F(AuditTest, ReadsByTimePatientAndActorPageByPage) {
  AuditEntry other = entry(99);
  other.at = at_month(2029, 7);
  other.actor = "operator";
  other.patient = "Patient/8";
  append(other);
  const auto count = [&](const AuditFilter& filter) {
    AuditPlace place;
    std::size_t rows = 0;
    while (true) {
      auto page = database_->read_value<std::vector<AuditRow>>(
          [&](Connection& connection) { return Audit::read(connection, filter, place, 6); });
      EXPECT_TRUE(page.ok()) << page.error().message();
      if (!page.ok() || page->empty()) return rows;
      rows += page->size();
      place = {page->back().at, page->back().sequence};
    }
  };
  EXPECT_EQ(count({}), 21u);
  EXPECT_EQ(count({.since = "2029-01-01T00:00:00.000Z"}), 1u);
  EXPECT_EQ(count({.until = "2029-01-01T00:00:00.000Z"}), 20u);
  EXPECT_EQ(count({.patient = "Patient/8"}), 1u);
  EXPECT_EQ(count({.patient = "Patient/7", .actor = "ae:CT_ROOM1"}), 20u);
  EXPECT_EQ(count({.patient = "Patient/7", .actor = "operator"}), 0u);
}

TEST_F(AuditTest, EveryFilterUsesAnIndexAndSortsNothing) {
  const auto plan = [&](std::string_view condition) {
    auto text = database_->read_value<std::string>(
        [&](Connection& connection) -> core::Result<std::string> {
          GW_TRY(Rows rows,
                 connection.query(
                     core::cat("EXPLAIN QUERY PLAN SELECT seq FROM audit WHERE at >= 'a' AND (at > "
                               "'a' OR seq > 1)",
                               condition, " ORDER BY at, seq LIMIT 500")));
          std::string all;
          while (true) {
            GW_TRY(const bool more, rows.next());
            if (!more) return all;
            all += rows.text(3);
            all += '\n';
          }
        });
    return *text;
  };
  EXPECT_EQ(plan("").find("SORT"), std::string::npos) << plan("");
  EXPECT_NE(plan("").find("audit_by_time"), std::string::npos) << plan("");
  EXPECT_NE(plan(" AND actor = 'x'").find("audit_by_actor"), std::string::npos)
      << plan(" AND actor = 'x'");
  EXPECT_NE(plan(" AND patient = 'x' AND patient <> ''").find("audit_by_patient"),
            std::string::npos)
      << plan(" AND patient = 'x' AND patient <> ''");
}

TEST_F(AuditTest, ACheckpointIsProvenByItsPublicKeyAlone) {
  const AuditHead head = verify().head;
  const auto signer = AuditSigner::create(shared_keyring(), 1);
  ASSERT_TRUE(signer.ok());
  const auto checkpoint = signer->sign(head, at_month(2026, 3));
  ASSERT_TRUE(checkpoint.ok());
  auto read = AuditCheckpoint::parse(checkpoint->document().dump());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(read->is_signed());
  EXPECT_EQ(read->public_key, signer->public_key());
  EXPECT_EQ(read->head.mac, head.mac);
  AuditCheckpoint forged = *read;
  ++forged.head.sequence;
  EXPECT_FALSE(forged.is_signed());
  EXPECT_FALSE(AuditCheckpoint::parse("{\"schema\":1}").ok());
}

}  // namespace
}  // namespace gateway::crypto
