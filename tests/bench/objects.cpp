// Sealed objects beside plain files, both fsynced, and raw AES-256-GCM: see objects.sh.
//
// Interleaved: each round does one of each, so that a busy disk hurts all alike. A small figure
// writes many files; what an object needs beyond its bytes (durable name, header, tags) is in it.
#include "crypto/objects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/keyring.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kSmallBytes = 525'000;
constexpr std::size_t kLargeBytes = std::size_t{256} << 20;
constexpr int kSmallFiles = 64;
constexpr std::size_t kPieceBytes = std::size_t{128} << 10;  // as a PDU brings them

/// What a clinic's plain files would be: made in their folder, synced, their name too.
core::Status write_plain(const std::string& folder, int number, std::span<const std::byte> bytes) {
  GW_TRY(auto file, core::system_files().create(core::cat(folder, "/plain-", number)));
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    GW_CHECK(file->append(bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at))));
  }
  GW_CHECK(file->sync());
  return core::system_files().sync_folder(folder);
}

core::Result<std::string> write_sealed(ObjectStore& store, std::span<const std::byte> bytes) {
  GW_TRY(auto writer, store.create());
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    GW_CHECK(writer->append(bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at))));
  }
  GW_TRY(const SealedObject object, writer->finish());
  GW_CHECK(store.settle(object.id));
  return object.id;
}

core::Status read_sealed(ObjectStore& store, const std::string& id) {
  GW_TRY(auto reader, store.open_object(id));
  Bytes piece(1 << 20);
  for (std::uint64_t at = 0; at < reader->size(); at += piece.size()) {
    GW_CHECK(reader->read(at, piece));
  }
  return {};
}

core::Status seal_in_memory(const Secret& key, std::span<const std::byte> bytes) {
  GW_TRY(AesGcm cipher, AesGcm::create(key.bytes(), AesGcm::Direction::seal));
  constexpr std::size_t kChunk = std::size_t{256} << 10;
  Bytes sealed(kChunk + kTagBytes);
  for (std::size_t at = 0; at < bytes.size(); at += kChunk) {
    const auto chunk = bytes.subspan(at, std::min(kChunk, bytes.size() - at));
    Nonce nonce{};
    std::memcpy(nonce.data(), &at, sizeof at);
    GW_CHECK(cipher.seal(nonce, {}, chunk, std::span(sealed).first(chunk.size() + kTagBytes)));
  }
  return {};
}

/// MB/s of one go, beginning with a quiet disk.
template <class Work>
core::Result<double> speed(std::size_t bytes, Work work) {
  ::sync();
  const auto begin = std::chrono::steady_clock::now();
  GW_CHECK(work());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / 1e6 / took.count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
  return values[values.size() / 2];
}

struct Speeds {
  std::vector<double> sealed_small, plain_small, sealed_large, plain_large, read_large, gcm;
};

core::Status measure(const std::string& folder, ObjectStore& store, const Bytes& bytes, int round,
                     Speeds& speeds) {
  const auto keep = [](std::vector<double>& into, core::Result<double> value) -> core::Status {
    if (!value.ok()) return value.error();
    into.push_back(*value);
    return {};
  };
  const std::span small(bytes.data(), kSmallBytes);
  const std::size_t small_total = kSmallBytes * kSmallFiles;
  std::vector<std::string> written;
  const auto sealed_small = [&] {
    return keep(speeds.sealed_small, speed(small_total, [&]() -> core::Status {
                  for (int i = 0; i < kSmallFiles; ++i) {
                    GW_TRY(written.emplace_back(), write_sealed(store, small));
                  }
                  return {};
                }));
  };
  const auto plain_small = [&] {
    return keep(speeds.plain_small, speed(small_total, [&]() -> core::Status {
                  for (int i = 0; i < kSmallFiles; ++i) {
                    GW_CHECK(write_plain(folder, round * 1000 + i, small));
                  }
                  return {};
                }));
  };
  std::string large;
  const auto sealed_large = [&] {
    return keep(speeds.sealed_large, speed(kLargeBytes, [&]() -> core::Status {
                  GW_TRY(large, write_sealed(store, bytes));
                  return {};
                }));
  };
  const auto plain_large = [&] {
    return keep(speeds.plain_large,
                speed(kLargeBytes, [&] { return write_plain(folder, round * 1000 + 999, bytes); }));
  };
  // Who goes first takes turns too.
  if (round % 2 == 0) {
    GW_CHECK(sealed_small());
    GW_CHECK(plain_small());
    GW_CHECK(sealed_large());
    GW_CHECK(plain_large());
  } else {
    GW_CHECK(plain_small());
    GW_CHECK(sealed_small());
    GW_CHECK(plain_large());
    GW_CHECK(sealed_large());
  }
  GW_CHECK(read_sealed(store, large));  // the second read comes from memory, as decryption's price
  GW_CHECK(keep(speeds.read_large, speed(kLargeBytes, [&] { return read_sealed(store, large); })));
  const Secret key = Secret::random(kKeyBytes);
  GW_CHECK(keep(speeds.gcm, speed(kLargeBytes, [&] { return seal_in_memory(key, bytes); })));
  // The large ones would fill the disk.
  GW_CHECK(core::system_files().remove(core::cat(folder, "/plain-", round * 1000 + 999)));
  return store.shred(large);
}

core::Result<Speeds> run(const std::string& folder, int rounds) {
  auto& files = core::system_files();
  const Passphrase passphrase{Secret::copy_of(std::string_view("a bench's passphrase"))};
  GW_TRY(auto keyring, Keyring::create(files, folder + "/keys", passphrase, core::system_clock()));
  GW_TRY(auto store, ObjectStore::open(files, folder + "/objects", *keyring, 0));
  GW_CHECK(files.make_folder(folder + "/plain"));
  Bytes bytes(kLargeBytes);
  const Secret noise = Secret::random(4096);
  for (std::size_t at = 0; at < bytes.size(); at += noise.size()) {
    std::ranges::copy(noise.bytes(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  Speeds speeds;
  for (int round = 0; round < rounds; ++round) {
    GW_CHECK(measure(folder + "/plain", *store, bytes, round, speeds));
  }
  return speeds;
}

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace
}  // namespace gateway::crypto

int main(int argc, char** argv) {
  using namespace gateway::crypto;
  using gateway::core::Json;
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_objects FOLDER ROUNDS\n");
    return 2;
  }
  std::string folder = std::string(argv[1]) + "/gateway-objects-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  const auto speeds = run(folder, std::max(1, std::atoi(argv[2])));
  std::filesystem::remove_all(folder);
  if (!speeds.ok()) {
    std::fprintf(stderr, "%s\n", speeds.error().message().c_str());
    return 1;
  }
  const auto figure = [](double value, int digits) {
    return Json(Json::Number{number(value, digits)});
  };
  const double small = median(speeds->sealed_small);
  const double large = median(speeds->sealed_large);
  const Json result =
      Json::object({{"write_small", figure(small, 1)},
                    {"write_large", figure(large, 1)},
                    {"read_large", figure(median(speeds->read_large), 1)},
                    {"gcm", figure(median(speeds->gcm), 1)},
                    {"ratio_write_small", figure(small / median(speeds->plain_small), 2)},
                    {"ratio_write_large", figure(large / median(speeds->plain_large), 2)}});
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
