// Somebody, or a dying disk, changed what lies on it: every change is detected and what it hit is
// named. What a copy of the whole disk put back can only be told from outside is said here too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "core/text.h"
#include "crypto/object_format.h"
#include "crypto/octets.h"
#include "tests/at_rest/life.h"
#include "tests/crypto/keys.h"

namespace gateway::at_rest {
namespace {

using crypto::Connection;
using fakes::DiskImage;
using testing::HasSubstr;

constexpr char kDatabase[] = "/state/gateway.db";
constexpr char kWitness[] = "/state/audit.witness";

std::vector<std::string> object_paths(const DiskImage& image) {
  std::vector<std::string> paths;
  for (const auto& [path, content] : image.files) {
    if (path.starts_with("/state/objects/")) paths.push_back(path);
  }
  return paths;
}

std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

core::Status read_object(Life& life, const std::string& id) {
  GW_TRY(auto reader, life.held().objects().open_object(id));
  std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
  GW_CHECK(reader->read(0, std::as_writable_bytes(std::span(bytes))));
  return {};
}

/// What opening the gateway, or then reading every page and row of its database, says.
core::Status read_database(const DiskImage& image) {
  Life life(image, {});
  GW_CHECK(life.open());
  return life.held().database().read([](Connection& connection) -> core::Status {
    GW_TRY(const auto damaged, connection.text("PRAGMA cipher_integrity_check"));
    if (damaged) return core::Error(core::Code::corrupt, *damaged);
    GW_TRY(const auto verdict, connection.text("PRAGMA integrity_check"));
    if (verdict != "ok") return core::Error(core::Code::corrupt, verdict.value_or(""));
    return {};
  });
}

class Tampering : public testing::Test {
 protected:
  /// A stopped gateway that holds a study, one instance of which has three chunks.
  static void SetUpTestSuite() {
    Life life(new_disk(), {});
    for (const Step& step : whole_life().first(3)) ASSERT_TRUE(step.run(life).ok()) << step.name;
    life.close();
    early_ = life.disk().image();
    ASSERT_TRUE(life.open().ok());
    const std::string large(2 * crypto::kChunkBytes + 1000, 'L');
    ASSERT_TRUE(life.receive("1.2.3.5", "1.2.3.5.1", large).ok());
    life.close();
    image_ = life.disk().image();
    for (const auto& [path, content] : image_.files) {
      if (content.size() > 2 * crypto::kChunkBytes && path != kDatabase) large_ = path;
    }
    ASSERT_FALSE(large_.empty());
  }

  /// The tampered object is refused as corrupt and named.
  static void expect_named(const DiskImage& image, const std::string& path) {
    Life life(image, {});
    ASSERT_TRUE(life.open().ok());
    const auto read = read_object(life, name_of(path));
    ASSERT_FALSE(read.ok()) << path;
    EXPECT_EQ(read.error().code(), core::Code::corrupt) << read.error().message();
    EXPECT_THAT(read.error().message(), HasSubstr(name_of(path)));
  }

  static inline DiskImage early_;
  static inline DiskImage image_;
  static inline std::string large_;
};

TEST_F(Tampering, AFlippedBitAnywhereInAnObjectIsNamed) {
  std::uint64_t flips = 0;
  Life life(image_, {});
  ASSERT_TRUE(life.open().ok());
  for (const std::string& path : object_paths(image_)) {
    const std::string& content = image_.files.at(path);
    // Every byte of the header and of the first and last 64 bytes behind it, then strides.
    for (std::size_t at = 0; at < content.size();
         at += at < crypto::kObjectHeaderBytes + 64 || at + 64 >= content.size() ? 1 : 997) {
      std::string changed = content;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      life.disk().set_content(path, std::move(changed));
      const auto read = read_object(life, name_of(path));
      ASSERT_FALSE(read.ok()) << path << ", byte " << at;
      ASSERT_THAT(read.error().message(), HasSubstr(name_of(path)));
      ASSERT_EQ(read.error().code(), core::Code::corrupt)
          << "byte " << at << ": " << read.error().message();
      ++flips;
    }
    life.disk().set_content(path, content);
    ASSERT_TRUE(read_object(life, name_of(path)).ok());
  }
  std::cout << "flipped " << flips << " bits of objects\n";
  EXPECT_GT(flips, 1000U);
}

TEST_F(Tampering, AnObjectCutAnywhereIsNamed) {
  const std::string& content = image_.files.at(large_);
  const std::size_t chunk = crypto::kChunkBytes + crypto::kTagBytes;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, crypto::kObjectHeaderBytes,
                                 crypto::kObjectHeaderBytes + 1, crypto::kObjectHeaderBytes + chunk,
                                 crypto::kObjectHeaderBytes + 2 * chunk, content.size() - 1}) {
    DiskImage image = image_;
    image.files[large_].resize(size);
    expect_named(image, large_);
  }
}

TEST_F(Tampering, SwappedChunksAreNamed) {
  DiskImage image = image_;
  std::string& content = image.files[large_];
  const std::size_t chunk = crypto::kChunkBytes + crypto::kTagBytes;
  std::swap_ranges(
      content.begin() + crypto::kObjectHeaderBytes,
      content.begin() + static_cast<std::ptrdiff_t>(crypto::kObjectHeaderBytes + chunk),
      content.begin() + static_cast<std::ptrdiff_t>(crypto::kObjectHeaderBytes + chunk));
  expect_named(image, large_);
}

TEST_F(Tampering, SwappedFilesAreNamed) {
  const auto paths = object_paths(image_);
  ASSERT_GE(paths.size(), 2U);
  DiskImage image = image_;
  std::swap(image.files[paths[0]], image.files[paths[1]]);
  expect_named(image, paths[0]);
  expect_named(image, paths[1]);
}

TEST_F(Tampering, AFlippedBitInAnyPageOfTheDatabaseIsFound) {
  constexpr std::size_t kPage = 4096;
  const std::size_t pages = image_.files.at(kDatabase).size() / kPage;
  for (std::size_t page = 0; page < pages; ++page) {
    DiskImage image = image_;
    char& byte = image.files[kDatabase][page * kPage + (page * 131) % kPage];
    byte = static_cast<char>(byte ^ (1 << (page % 8)));
    const auto read = read_database(image);
    ASSERT_FALSE(read.ok()) << "page " << page + 1;
    // Of page 1 SQLCipher cannot tell damage from another key; the message says both.
    EXPECT_TRUE(read.error().code() == core::Code::corrupt ||
                (page == 0 && read.error().code() == core::Code::locked) ||
                read.error().code() == core::Code::io)
        << "page " << page + 1 << ": " << read.error().message();
  }
  std::cout << "damaged each of " << pages << " pages\n";
}

TEST_F(Tampering, ADatabaseCutShortIsFound) {
  const std::size_t whole = image_.files.at(kDatabase).size();
  for (const std::size_t size : {whole - 4096, whole / 2, std::size_t{4096}}) {
    DiskImage image = image_;
    image.files[kDatabase].resize(size / 4096 * 4096);
    EXPECT_FALSE(read_database(image).ok()) << size;
  }
}

TEST_F(Tampering, AnOldDatabasePutBackIsNamedAndNothingIsSweptAway) {
  DiskImage image = image_;
  image.files[kDatabase] = early_.files.at(kDatabase);
  Life life(image, {});
  const auto opened = life.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), core::Code::corrupt);
  EXPECT_THAT(opened.error().message(), HasSubstr("An older copy was put back"));
  EXPECT_THAT(opened.error().message(), HasSubstr(kWitness));
  EXPECT_EQ(object_paths(life.disk().image()), object_paths(image_));
}

TEST_F(Tampering, AnOperatorWhoAcceptsTheOldDatabaseLeavesATrace) {
  DiskImage image = image_;
  image.files[kDatabase] = early_.files.at(kDatabase);
  image.files.erase(kWitness);
  Life life(image, {});
  ASSERT_TRUE(life.open().ok());
  const auto noted =
      life.held().database().read_value<std::optional<std::string>>([](Connection& connection) {
        return connection.text(
            "SELECT outcome FROM audit WHERE resource = 'audit.witness'"
            " ORDER BY seq DESC LIMIT 1");
      });
  ASSERT_TRUE(noted.ok());
  EXPECT_EQ(*noted, "absent");
}

TEST_F(Tampering, AWitnessOfAnotherKeyringCountsAsDamaged) {
  DiskImage image = image_;
  std::string& witness = image.files[kWitness];
  const auto at = witness.find("\"signature\":\"") + 20;
  witness[at] = witness[at] == '0' ? '1' : '0';
  Life life(image, {});
  ASSERT_TRUE(life.open().ok());
  const auto noted =
      life.held().database().read_value<std::optional<std::string>>([](Connection& connection) {
        return connection.text(
            "SELECT outcome FROM audit WHERE resource = 'audit.witness'"
            " ORDER BY seq DESC LIMIT 1");
      });
  ASSERT_TRUE(noted.ok());
  EXPECT_EQ(*noted, "damaged");
}

TEST_F(Tampering, AWholeOldDiskPutBackShowsAgainstAPublishedCheckpoint) {
  crypto::AuditCheckpoint published;
  {
    Life life(image_, {});
    ASSERT_TRUE(life.open().ok());
    published = life.held().witness()->take().value();
  }
  EXPECT_TRUE(published.is_signed());
  // Nothing on the box can tell: it is whole, only old.
  Life life(early_, {});
  ASSERT_TRUE(life.open().ok());
  const auto head = life.held().database().read_value<crypto::AuditHead>(
      [](Connection& connection) { return crypto::Audit::head(connection); });
  ASSERT_TRUE(head.ok());
  EXPECT_LT(head->sequence, published.head.sequence);
}

}  // namespace
}  // namespace gateway::at_rest
