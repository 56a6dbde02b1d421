#include "crypto/objects.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>
#include <vector>

#include "core/text.h"
#include "crypto/object_format.h"
#include "crypto/octets.h"
#include "tests/crypto/keys.h"
#include "tests/fakes/bad_sectors.h"
#include "tests/fakes/fault_files.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;

constexpr std::size_t kSealedChunk = kChunkBytes + kTagBytes;

std::string pattern(std::size_t size, unsigned seed = 7) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

struct Box {
  explicit Box(std::uint64_t reserve = 0) {
    auto opened = ObjectStore::open(files, "/objects", shared_keyring(), reserve);
    EXPECT_TRUE(opened.ok());
    store = std::move(*opened);
  }

  SealedObject put(const std::string& text, std::size_t piece = 100000) {
    auto writer = store->create();
    EXPECT_TRUE(writer.ok());
    for (std::size_t at = 0; at < text.size(); at += piece) {
      EXPECT_TRUE(
          (*writer)->append(as_octets(text).subspan(at, std::min(piece, text.size() - at))).ok());
    }
    auto object = (*writer)->finish();
    EXPECT_TRUE(object.ok());
    return *object;
  }
  std::string incoming(const std::string& id) const { return "/objects/incoming/" + id; }
  std::string settled(const std::string& id) const {
    return "/objects/" + id.substr(34) + "/" + id;
  }

  FaultFiles files;
  std::unique_ptr<ObjectStore> store;
};

core::Result<std::string> read_range(SealedReader& reader, std::uint64_t offset, std::size_t size) {
  std::string text(size, '\0');
  GW_TRY(std::size_t got,
         reader.read(offset, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
  text.resize(got);
  return text;
}

core::Result<std::string> read_all(ObjectStore& store, const std::string& id) {
  GW_TRY(auto reader, store.open_object(id));
  return read_range(*reader, 0, reader->size() + 1);
}

class ObjectSizes : public testing::TestWithParam<std::size_t> {};

TEST_P(ObjectSizes, ComeBackWholeAndInRanges) {
  Box box;
  const std::string text = pattern(GetParam());
  for (std::size_t piece : {std::size_t{65521}, kChunkBytes, 3 * kChunkBytes}) {
    const SealedObject object = box.put(text, piece);
    EXPECT_EQ(object.size, text.size());
    EXPECT_EQ(*read_all(*box.store, object.id), text);
    ASSERT_TRUE(box.store->settle(object.id).ok());

    auto reader = box.store->open_object(object.id);
    ASSERT_TRUE(reader.ok()) << reader.error().message();
    EXPECT_EQ((*reader)->size(), text.size());
    std::mt19937 random(11);
    for (int i = 0; i < 50; ++i) {
      const std::size_t offset = random() % (text.size() + 2);
      const std::size_t size = random() % (2 * kChunkBytes);
      const std::string expected = offset < text.size() ? text.substr(offset, size) : "";
      ASSERT_EQ(*read_range(**reader, offset, size), expected) << offset << "+" << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AroundTheChunk, ObjectSizes,
                         testing::Values(0, 1, 15, kChunkBytes - 1, kChunkBytes, kChunkBytes + 1,
                                         2 * kChunkBytes, 3 * kChunkBytes + 17, 12 * kChunkBytes));

TEST(Objects, LeaveNothingReadableInTheirFiles) {
  Box box;
  const std::string secret = "MUSTERMANN^ERIKA";
  std::string text;
  while (text.size() < 2 * kChunkBytes) text += secret;
  const SealedObject object = box.put(text);
  const std::string sealed = box.files.content(box.incoming(object.id));
  EXPECT_EQ(sealed.find(secret), std::string::npos);
  EXPECT_EQ(sealed.find(text.substr(5, 16)), std::string::npos);
}

TEST(Objects, EachHasItsOwnKey) {
  Box box;
  const std::string text = pattern(1000);
  const auto first = box.files.content(box.incoming(box.put(text).id));
  const auto second = box.files.content(box.incoming(box.put(text).id));
  EXPECT_NE(first.substr(kObjectHeaderBytes), second.substr(kObjectHeaderBytes));
}

TEST(Objects, ADeadSectorUnderItsHeaderDoesNotSaveOneFromBeingShredded) {
  FaultFiles files;
  fakes::BadSectors drive(files);
  auto store = ObjectStore::open(drive, "/objects", shared_keyring(), 0);
  ASSERT_TRUE(store.ok());
  for (const std::size_t size : {std::size_t{20}, kChunkBytes}) {
    auto writer = (*store)->create();
    ASSERT_TRUE((*writer)->append(as_octets(pattern(size))).ok());
    const std::string id = (*writer)->finish()->id;
    drive.spoil(id, 0);
    ASSERT_FALSE((*store)->open_object(id).ok());
    const auto gone = (*store)->shred(id);
    ASSERT_TRUE(gone.ok()) << gone.error().message();
    EXPECT_EQ(drive.spoilt(), 0u) << "written over as a whole";
    EXPECT_EQ((*store)->open_object(id).error().code(), core::Code::not_found);
  }
}

TEST(Objects, OpenUnderTheEpochTheyWereSealedIn) {
  FaultFiles files;
  HandClock clock;
  auto keyring = Keyring::create(files, "/keys", passphrase("p"), clock);
  ASSERT_TRUE(keyring.ok());
  auto store = ObjectStore::open(files, "/objects", **keyring, 0);
  ASSERT_TRUE(store.ok());
  auto march = (*store)->create();
  clock.set_wall(at_month(2026, 4));
  auto april = (*store)->create();
  ASSERT_TRUE((*march)->append(as_octets("march")).ok());
  ASSERT_TRUE((*april)->append(as_octets("april")).ok());
  const std::string march_id = (*march)->finish()->id;
  const std::string april_id = (*april)->finish()->id;
  EXPECT_EQ(*read_all(**store, march_id), "march");
  EXPECT_EQ(*read_all(**store, april_id), "april");
  ASSERT_TRUE(files.remove("/keys/epochs/202603.key").ok());
  auto reopened = Keyring::open(files, "/keys", passphrase("p"), clock);
  auto without_march = ObjectStore::open(files, "/objects", **reopened, 0);
  EXPECT_FALSE(read_all(**without_march, march_id).ok());
  EXPECT_EQ(*read_all(**without_march, april_id), "april");
}

TEST(Objects, AreNotFoundUnderNamesThatAreNone) {
  Box box;
  for (const char* name :
       {"", "..", "../../keys/keyring.json", "01234567-89ab-7def-8123-456789abcdef"}) {
    EXPECT_EQ(box.store->open_object(name).error().code(), core::Code::not_found) << name;
    EXPECT_EQ(box.store->settle(name).error().code(), core::Code::not_found) << name;
    EXPECT_EQ(box.store->shred(name).error().code(), core::Code::not_found) << name;
  }
}

TEST(Objects, AbandonedOnesAreRemovedAtOnce) {
  Box box;
  const auto before = box.files.paths().size();
  {
    auto writer = box.store->create();
    ASSERT_TRUE((*writer)->append(as_octets(pattern(2 * kChunkBytes))).ok());
  }
  EXPECT_EQ(box.files.paths().size(), before + 15);  // what is left of the pool of names
  box.store.reset();
  EXPECT_EQ(box.files.paths().size(), before);
}

TEST(Objects, ShreddedOnesAreGoneAndTheirKeyWithThem) {
  Box box;
  const SealedObject object = box.put("x-ray");
  ASSERT_TRUE(box.store->settle(object.id).ok());
  auto file = box.files.open_read(box.settled(object.id));
  ASSERT_TRUE(box.store->shred(object.id).ok());
  EXPECT_EQ(box.store->open_object(object.id).error().code(), core::Code::not_found);
  EXPECT_EQ(box.store->shred(object.id).error().code(), core::Code::not_found);
  ObjectHeaderBytes left;
  ASSERT_EQ(*(*file)->read_at(0, left), left.size());
  EXPECT_EQ(read_header(left).error().code(), core::Code::corrupt);
}

TEST(Objects, FromSeveralThreadsAtOnce) {
  Box box;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&box, t] {
      for (unsigned i = 0; i < 12; ++i) {
        const std::string text = pattern(kChunkBytes + i, t * 100 + i);
        const SealedObject object = box.put(text);
        ASSERT_TRUE(box.store->settle(object.id).ok());
        ASSERT_EQ(*read_all(*box.store, object.id), text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Objects, KeepTheDisksReserve) {
  Box box(UINT64_C(1) << 30);
  box.files.set_free_bytes((UINT64_C(1) << 30) - 1);
  auto refused = box.store->create();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::no_space);
  box.files.set_free_bytes((UINT64_C(1) << 30) + kChunkBytes);
  auto writer = box.store->create();
  ASSERT_TRUE(writer.ok());
  const std::string text = pattern(kChunkBytes);
  EXPECT_TRUE((*writer)->append(as_octets(text)).ok());
  EXPECT_TRUE((*writer)->append(as_octets("more")).ok());
  box.files.set_free_bytes(UINT64_C(1) << 30);
  EXPECT_EQ((*writer)->append(as_octets(text)).error().code(), core::Code::no_space);
  box.files.set_free_bytes(UINT64_C(1) << 40);
  EXPECT_EQ((*writer)->append(as_octets("x")).error().code(), core::Code::no_space);
  EXPECT_EQ((*writer)->finish().error().code(), core::Code::no_space);
  writer->reset();
  EXPECT_EQ(*read_all(*box.store, box.put(text).id), text);
}

void expect_a_full_disk_to_leave_nothing(const std::string& text) {
  for (std::uint64_t at = 1;; ++at) {
    Box box;
    const auto before = box.files.paths().size();
    const auto operations = box.files.operations();
    box.files.fail_operation(at, core::Code::no_space);
    core::Status outcome;
    std::string id;
    [&]() {
      auto writer = box.store->create();
      outcome = writer.ok() ? (*writer)->append(as_octets(text)) : core::Status(writer.error());
      if (!outcome.ok()) return;
      auto object = (*writer)->finish();
      if (object.ok()) id = object->id;
      if (!object.ok()) outcome = object.error();
    }();
    if (outcome.ok()) {
      EXPECT_EQ(*read_all(*box.store, id), text);
      ASSERT_GT(at, box.files.operations() - operations);
      break;
    }
    ASSERT_EQ(outcome.error().code(), core::Code::no_space) << "operation " << at;
    ASSERT_EQ(*read_all(*box.store, box.put(text).id), text) << "operation " << at;
    box.store.reset();
    ASSERT_EQ(box.files.paths().size(), before + 1) << "operation " << at;
  }
}

TEST(Objects, AFullDiskAtAnyStepIsAnErrorAndLeavesNothing) {
  expect_a_full_disk_to_leave_nothing(pattern(2 * kChunkBytes + 5));
}

// Its later chunks are written behind the caller's back.
TEST(Objects, AFullDiskAtAnyStepOfALongObjectIsAnErrorAndLeavesNothing) {
  expect_a_full_disk_to_leave_nothing(pattern(11 * kChunkBytes + 5));
}

class TamperedObject : public testing::Test {
 protected:
  void SetUp() override {
    text_ = pattern(3 * kChunkBytes - 100);
    id_ = box_.put(text_).id;
    sealed_ = box_.files.content(box_.incoming(id_));
  }
  void expect_damaged(const std::string& content, const std::string& what) {
    box_.files.set_content(box_.incoming(id_), content);
    auto read = read_all(*box_.store, id_);
    ASSERT_FALSE(read.ok()) << what;
    ASSERT_TRUE(read.error().code() == core::Code::corrupt ||
                read.error().code() == core::Code::not_found ||
                read.error().code() == core::Code::invalid)
        << what << ": " << read.error().message();
  }
  std::string chunk(std::size_t index) const {
    return sealed_.substr(kObjectHeaderBytes + index * kSealedChunk, kSealedChunk);
  }
  std::string header() const { return sealed_.substr(0, kObjectHeaderBytes); }

  Box box_;
  std::string text_;
  std::string id_;
  std::string sealed_;
};

TEST_F(TamperedObject, AnyFlippedBitOfTheHeader) {
  for (std::size_t bit = 0; bit < kObjectHeaderBytes * 8; ++bit) {
    std::string content = sealed_;
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
    expect_damaged(content, core::cat("bit ", bit));
  }
}

TEST_F(TamperedObject, AFlippedBitInAnyChunkOrTag) {
  for (std::size_t at = kObjectHeaderBytes; at < sealed_.size(); at += kChunkBytes / 7) {
    std::string content = sealed_;
    content[at] = static_cast<char>(content[at] ^ 0x40);
    expect_damaged(content, core::cat("byte ", at));
  }
  for (std::size_t i = 1; i <= 3; ++i) {
    std::string content = sealed_;
    const std::size_t tag = std::min(kObjectHeaderBytes + i * kSealedChunk, sealed_.size()) - 1;
    content[tag] = static_cast<char>(content[tag] ^ 1);
    expect_damaged(content, core::cat("tag of chunk ", i));
  }
}

TEST_F(TamperedObject, DamageToOneChunkLeavesTheOthersReadable) {
  std::string content = sealed_;
  content[kObjectHeaderBytes + 10] = static_cast<char>(content[kObjectHeaderBytes + 10] ^ 1);
  box_.files.set_content(box_.incoming(id_), content);
  auto reader = box_.store->open_object(id_);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(read_range(**reader, 0, 10).error().code(), core::Code::corrupt);
  EXPECT_EQ(*read_range(**reader, kChunkBytes, 100), text_.substr(kChunkBytes, 100));
}

TEST_F(TamperedObject, CutAtAnyPlaceAlsoBetweenChunks) {
  expect_damaged(header() + chunk(0), "after the first chunk");
  expect_damaged(header() + chunk(0) + chunk(1), "after the second chunk");
  expect_damaged(header(), "after the header");
  for (std::size_t size = 0; size < sealed_.size(); size += 30011) {
    expect_damaged(sealed_.substr(0, size), core::cat("to ", size));
  }
  expect_damaged(sealed_.substr(0, sealed_.size() - 1), "by one byte");
}

TEST_F(TamperedObject, Lengthened) {
  expect_damaged(sealed_ + '\0', "by a zero");
  expect_damaged(sealed_ + std::string(kTagBytes, '\0'), "by a tag");
  expect_damaged(sealed_ + chunk(0), "by a chunk");
}

TEST_F(TamperedObject, ChunksInAnotherOrder) {
  expect_damaged(header() + chunk(1) + chunk(0) + chunk(2), "swapped");
  expect_damaged(header() + chunk(0) + chunk(0) + chunk(2), "repeated");
  expect_damaged(header() + chunk(0) + chunk(2), "left out");
}

TEST_F(TamperedObject, PartsOfAnotherObject) {
  const std::string other_id = box_.put(text_).id;
  const std::string other = box_.files.content(box_.incoming(other_id));
  expect_damaged(other, "the whole file under this name");
  expect_damaged(header() + other.substr(kObjectHeaderBytes), "its chunks");
  expect_damaged(other.substr(0, kObjectHeaderBytes) + sealed_.substr(kObjectHeaderBytes),
                 "its header");
  // The other's header with this object's id written over its own.
  std::string grafted = other;
  grafted.replace(20, 16, sealed_.substr(20, 16));
  expect_damaged(grafted, "its header under this id");
}

TEST(ObjectFormat, HeaderIsWhatItAlwaysWas) {
  ObjectHeader header;
  header.chunk_bytes = 262144;
  header.epoch = 202603;
  header.id = *object_id("0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
  header.nonce_prefix.fill(std::byte{0x11});
  header.wrapped_key.fill(std::byte{0x22});
  EXPECT_EQ(
      core::to_hex(as_text(write_header(header))),
      "43474f424a454354"
      "0100"
      "8000"
      "00000400"
      "6b170300"
      "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b"
      "1111111111111100" +
          [] {
            std::string wrapped;
            for (std::size_t i = 0; i < kWrappedKeyBytes; ++i) wrapped += "22";
            return wrapped;
          }() +
          std::string(48, '0'));
}

TEST(ObjectFormat, LengthsNoObjectHasAreRefused) {
  EXPECT_FALSE(object_layout(0, 1024).ok());
  EXPECT_FALSE(object_layout(kObjectHeaderBytes + kTagBytes - 1, 1024).ok());
  EXPECT_EQ(object_layout(kObjectHeaderBytes + kTagBytes, 1024)->plain_bytes, 0u);
  EXPECT_EQ(object_layout(kObjectHeaderBytes + 1024 + kTagBytes, 1024)->chunks, 1u);
  EXPECT_FALSE(object_layout(kObjectHeaderBytes + 1024 + 2 * kTagBytes, 1024).ok());
  EXPECT_EQ(object_layout(kObjectHeaderBytes + 1025 + 2 * kTagBytes, 1024)->plain_bytes, 1025u);
  EXPECT_FALSE(object_layout(UINT64_MAX, 1).ok());
}

}  // namespace
}  // namespace gateway::crypto
