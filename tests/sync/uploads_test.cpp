// What a hub keeps of resumable uploads, whatever happens in between.
#include "sync/uploads.h"

#include <gtest/gtest.h>

#include <chrono>

#include "crypto/digest.h"
#include "crypto/octets.h"
#include "sync/data_set_digest.h"
#include "sync/rebuild.h"
#include "sync/shredding.h"
#include "sync/tus.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using core::Code;

constexpr std::size_t kMegabyte = 1U << 20;

/// The wall clock, put forward at will.
class MovedClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return core::system_clock().monotonic(); }
  core::Wall wall() const override { return core::system_clock().wall() + ahead; }
  std::chrono::hours ahead{0};
};

class UploadsTest : public RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    begin();
  }
  void TearDown() override {
    uploads_.reset();
    killed_.clear();
    RecordsTest::TearDown();
  }
  void begin() {
    uploads_ = std::make_unique<Uploads>(
        clock_, [this](std::shared_ptr<Holdings> holdings, const Uploader& from, const auto& next) {
          return take(*holdings, from, next);
        });
  }
  /// As the DICOM end does: what is no file of ours is refused.
  core::Result<StoreOutcome> take(
      Holdings& holdings, const Uploader& from,
      const std::function<core::Result<std::span<const std::byte>>()>& next) {
    if (no_room_for_whole_) return core::Error(Code::no_space, "full");
    GW_TRY(auto writer, holdings.ingest().begin_object());
    std::string bytes;
    while (true) {
      GW_TRY(const auto piece, next());
      if (piece.empty()) break;
      GW_CHECK(writer->append(piece));
      bytes += crypto::as_text(piece);
    }
    taken_.push_back(bytes);
    if (bytes.starts_with("junk")) return core::Error(Code::invalid, "it is no DICOM file");
    return holdings.ingest().store({facts("1.2", "1.2.3"), {}, 0, from.client, "", from.address},
                                   *writer);
  }
  /// kill -9: nothing that runs gets to its end.
  void kill() {
    killed_.push_back(std::move(uploads_));
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    begin();
  }
  Upload create(std::uint64_t length, const std::string& metadata = "",
                const std::string& concat = "") {
    auto made = uploads_->create(*held_, "clinic", length, metadata, concat);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return *made;
  }
  std::shared_ptr<UploadStream> resume(const Upload& upload, std::uint64_t offset) {
    auto stream = uploads_->resume(held_, "clinic", upload.id, offset);
    EXPECT_TRUE(stream.ok()) << stream.error().message();
    return stream.ok() ? *stream : nullptr;
  }
  void send(const Upload& upload, std::string_view bytes, std::uint64_t offset = 0) {
    const auto stream = resume(upload, offset);
    ASSERT_NE(stream, nullptr);
    ASSERT_TRUE(stream->append(crypto::as_octets(bytes)).ok());
    ASSERT_TRUE(uploads_->end(*held_, "clinic", *stream).ok());
  }
  std::uint64_t stands_at(const Upload& upload) {
    const auto found = uploads_->find(*held_, "clinic", upload.id);
    EXPECT_TRUE(found.ok()) << found.error().message();
    return found.ok() ? found->received : UINT64_MAX;
  }
  core::Result<Upload> store_whole(const Upload& upload) {
    return uploads_->store(held_, {"clinic", "127.0.0.1"}, upload.id);
  }
  static std::string digest_of(std::string_view bytes) {
    return tus::metadata_pair(tus::kDigestKey,
                              digest_text(crypto::sha256(crypto::as_octets(bytes))));
  }
  /// Files that hold objects, wherever they lie; names in stock are empty.
  std::size_t objects() {
    auto ids = held_->objects().list_all();
    EXPECT_TRUE(ids.ok());
    return ids->size();
  }

  MovedClock clock_;
  bool no_room_for_whole_ = false;
  std::vector<std::string> taken_;
  std::unique_ptr<Uploads> uploads_;
  std::vector<std::unique_ptr<Uploads>> killed_;  // they end when nobody looks any more
};

TEST_F(UploadsTest, WhatIsWholeBecomesAnInstanceOnceAndItsPartsGo) {
  const std::string bytes(3 * kMegabyte + 17, 'x');
  const Upload upload = create(bytes.size(), digest_of(bytes));
  send(upload, std::string_view(bytes).substr(0, 2 * kMegabyte + 5));
  send(upload, std::string_view(bytes).substr(2 * kMegabyte + 5), 2 * kMegabyte + 5);
  const auto stored = store_whole(upload);
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_TRUE(stored->stored);
  EXPECT_EQ(taken_, std::vector<std::string>{bytes});
  EXPECT_TRUE(store_whole(upload).ok());
  EXPECT_EQ(taken_.size(), 1u);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
  EXPECT_EQ(objects(), 1u);
}

TEST_F(UploadsTest, AKillCostsLessThanAMegabyteOfWhatCame) {
  const std::string bytes(4 * kMegabyte, 'x');
  const Upload upload = create(bytes.size());
  const auto stream = resume(upload, 0);
  ASSERT_TRUE(stream->append(crypto::as_octets(bytes).first(2 * kMegabyte + 100)).ok());
  kill();
  EXPECT_EQ(stands_at(upload), 2 * kMegabyte);
  send(upload, std::string_view(bytes).substr(2 * kMegabyte), 2 * kMegabyte);
  EXPECT_TRUE(store_whole(upload).ok());
  EXPECT_EQ(taken_, std::vector<std::string>{bytes});
}

TEST_F(UploadsTest, WhatCameOfARequestThatHangsIsAskedForAndTheRequestHeardNoMore) {
  const Upload upload = create(100);
  const auto hanging = resume(upload, 0);
  ASSERT_TRUE(hanging->append(crypto::as_octets("0123456789")).ok());
  EXPECT_EQ(stands_at(upload), 10u);
  ASSERT_TRUE(hanging->append(crypto::as_octets("abc")).ok());
  const auto elsewhere = uploads_->resume(held_, "clinic", upload.id, 10);
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_EQ(elsewhere.error().code(), Code::refused);
  EXPECT_EQ(stands_at(upload), 13u);
  send(upload, "xyz", 13);
  EXPECT_EQ(hanging->append(crypto::as_octets("late")).error().code(), Code::refused);
  EXPECT_EQ(stands_at(upload), 16u);
}

TEST_F(UploadsTest, AClientThatAsksWhereItStandsFindsItThereWhenItGoesOn) {
  const Upload upload = create(100);
  const auto hanging = resume(upload, 0);
  ASSERT_TRUE(hanging->append(crypto::as_octets("0123456789")).ok());
  EXPECT_EQ(uploads_->halt(*held_, "stranger", upload.id).error().code(), Code::not_found);
  ASSERT_TRUE(hanging->append(crypto::as_octets("abc")).ok()) << "a stranger stops nobody";
  EXPECT_EQ(uploads_->halt(*held_, "clinic", upload.id)->received, 13u);
  // Of the old connection, what was still on its way.
  EXPECT_EQ(hanging->append(crypto::as_octets("defg")).error().code(), Code::refused);
  send(upload, "xyz", 13);
  EXPECT_EQ(stands_at(upload), 16u);
}

TEST_F(UploadsTest, TheEndOfTheServerKeepsWhatCame) {
  const Upload upload = create(100);
  ASSERT_TRUE(resume(upload, 0)->append(crypto::as_octets("0123456789")).ok());
  uploads_.reset();
  begin();
  EXPECT_EQ(stands_at(upload), 10u);
}

TEST_F(UploadsTest, OtherBytesThanAnnouncedAreNeverTakenIn) {
  const Upload upload = create(6, digest_of("pixels"));
  send(upload, "pixelz");
  const auto stored = store_whole(upload);
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().code(), Code::corrupt);
  EXPECT_EQ(uploads_->find(*held_, "clinic", upload.id).error().code(), Code::not_found);
  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(objects(), 0u);
}

TEST_F(UploadsTest, WhatIsNoDicomFileGoesForGood) {
  const Upload upload = create(10);
  send(upload, "junk junk ");
  EXPECT_EQ(store_whole(upload).error().code(), Code::invalid);
  EXPECT_EQ(uploads_->find(*held_, "clinic", upload.id).error().code(), Code::not_found);
}

TEST_F(UploadsTest, WhereThereIsNoRoomForTheWholeItWaits) {
  const Upload upload = create(6);
  send(upload, "pixels");
  no_room_for_whole_ = true;
  EXPECT_EQ(store_whole(upload).error().code(), Code::no_space);
  no_room_for_whole_ = false;
  kill();
  EXPECT_TRUE(store_whole(upload).ok());
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
}

TEST_F(UploadsTest, ADiskWithoutRoomBeginsNothing) {
  const auto free = core::system_files().free_bytes(folder_);
  ASSERT_TRUE(free.ok());
  EXPECT_EQ(uploads_->create(*held_, "clinic", *free, "", "").error().code(), Code::no_space);
  // Each alone would have room, but not all that are promised it together.
  (void)create(*free / 4 + *free / 8);
  EXPECT_EQ(uploads_->create(*held_, "clinic", *free / 4, "", "").error().code(), Code::no_space);
}

TEST_F(UploadsTest, MoreThanAnnouncedIsRefusedAndNobodyElseMayGoOn) {
  const Upload upload = create(4);
  EXPECT_EQ(uploads_->find(*held_, "another", upload.id).error().code(), Code::not_found);
  const auto stream = resume(upload, 0);
  EXPECT_EQ(stream->append(crypto::as_octets("12345")).error().code(), Code::invalid);
  EXPECT_EQ(stands_at(upload), 0u);
}

TEST_F(UploadsTest, PartialUploadsAreJoinedInTheOrderGivenAndOnlyOnce) {
  const Upload first = create(3, "", "partial");
  const Upload second = create(4, "", "partial");
  send(second, "wide");
  EXPECT_FALSE(uploads_->join(*held_, "clinic", {first.id, second.id}, "", "final;").ok());
  send(first, "ab ");
  const auto joined =
      uploads_->join(*held_, "clinic", {first.id, second.id}, digest_of("ab wide"), "final;");
  ASSERT_TRUE(joined.ok()) << joined.error().message();
  kill();
  const auto again = uploads_->join(*held_, "clinic", {first.id, second.id}, "", "final;");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->id, joined->id);
  EXPECT_TRUE(store_whole(*again).ok());
  EXPECT_EQ(taken_, std::vector<std::string>{"ab wide"});
  EXPECT_TRUE(uploads_->join(*held_, "clinic", {first.id, second.id}, "", "final;")->stored);
}

TEST_F(UploadsTest, WhatNobodyGoesOnWithExpires) {
  const Upload old = create(100);
  send(old, "0123456789");
  clock_.ahead = std::chrono::hours(24 * 13);
  EXPECT_EQ(stands_at(old), 10u);
  clock_.ahead = std::chrono::hours(24 * 15);
  EXPECT_EQ(uploads_->find(*held_, "clinic", old.id).error().code(), Code::not_found);
  (void)create(1);
  EXPECT_EQ(count("SELECT count(*) FROM upload"), 1);
  EXPECT_TRUE(shred_doomed(held_->database(), held_->objects(), clock_, [] { return false; }).ok());
  EXPECT_EQ(objects(), 0u);
}

TEST_F(UploadsTest, ARemovedUploadIsGoneWithItsBytes) {
  const Upload upload = create(100);
  send(upload, "0123456789");
  EXPECT_TRUE(uploads_->remove(*held_, "clinic", upload.id).ok());
  EXPECT_EQ(uploads_->find(*held_, "clinic", upload.id).error().code(), Code::not_found);
  EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 1);
}

// The first part begins as the DICOM file does, which must not be taken for the whole.
TEST_F(UploadsTest, ARebuiltIndexTakesNoPartForAnInstance) {
  const std::string file = part10_head("1.2.3") + "1.2|1.2.3|pixels";
  const Upload upload = create(file.size() + 1'000);
  send(upload, file);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  held_.reset();
  std::filesystem::remove(folder_ + "/gateway.db");
  kill();
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM upload"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 1);
}

TEST(Tus, ReadsWhatHeadersSay) {
  const std::string metadata = "filename ZmlsZQ==, sha256 YWJj,empty";
  EXPECT_EQ(tus::metadata_value(metadata, "filename"), "file");
  EXPECT_EQ(tus::metadata_value(metadata, "sha256"), "abc");
  EXPECT_EQ(tus::metadata_value(metadata, "empty"), "");
  EXPECT_EQ(tus::metadata_value(metadata, "name"), std::nullopt);
  EXPECT_EQ(tus::count_of("17"), 17u);
  EXPECT_EQ(tus::count_of("-1"), std::nullopt);
  EXPECT_EQ(tus::count_of("1x"), std::nullopt);
  EXPECT_EQ(tus::joined_paths("partial"), std::nullopt);
  EXPECT_EQ(tus::joined_paths("final;https://hub.example:8443/uploads/a /uploads/b"),
            (std::vector<std::string>{"/uploads/a", "/uploads/b"}));
  EXPECT_EQ(tus::path_of_url("https://elsewhere.example/files/1", "/uploads"), "/files/1");
  EXPECT_EQ(tus::path_of_url("/files/1", "/uploads"), "/files/1");
  EXPECT_EQ(tus::path_of_url("1", "/uploads/"), "/uploads/1");
  EXPECT_TRUE(tus::lists("creation, concatenation", "concatenation"));
  EXPECT_FALSE(tus::lists("creation-with-upload", "creation"));
}

}  // namespace
}  // namespace gateway::sync
