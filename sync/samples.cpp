#include "sync/samples.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "core/files.h"
#include "core/gzip.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "sync/async_write.h"

namespace gateway::sync {
namespace {

// What read_samples() answers at most, but for its last.
constexpr std::size_t kReadBytesMax = 8U << 20;

using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

core::Result<bool> insert_sample(Connection& connection, const SampleMessage& message,
                                 const std::string& now) {
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(message.bytes)));
  const auto known = std::span(digest).first(16);
  GW_TRY(const auto held,
         connection.integer("SELECT 1 FROM sample WHERE device = ? AND digest = ? LIMIT 1",
                            message.device, known));
  if (held) return false;
  GW_CHECK(connection.run(
      "INSERT INTO sample (device, digest, received_at, value_count, bytes) VALUES (?, ?, ?, ?, ?)",
      message.device, known, now, message.value_count, std::as_bytes(std::span(message.bytes))));
  return true;
}

struct Block {
  std::string first_at, last_at, bytes;
  std::int64_t last = 0;  // number of its last message
  std::int64_t message_count = 0;
  std::int64_t value_count = 0;
};

core::Result<Block> gather(Connection& connection, const std::string& device) {
  Block block;
  GW_TRY(auto rows, connection.query("SELECT number, received_at, value_count, bytes FROM sample"
                                     " WHERE device = ? ORDER BY number LIMIT ?",
                                     device, kSamplesOfBlockMax));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return block;
    const std::string message = text_of(rows.blob(3));
    const auto size = static_cast<std::int64_t>(block.bytes.size() + message.size());
    if (block.message_count > 0 && size > kSampleBytesOfBlockMax) return block;
    block.last = rows.integer(0);
    block.last_at = rows.text(1);
    if (block.first_at.empty()) block.first_at = block.last_at;
    ++block.message_count;
    block.value_count += rows.integer(2);
    block.bytes += core::cat(block.last_at, ' ', message.size(), '\n', message);
  }
}

/// The messages of an unpacked block; Code::corrupt: it is none.
core::Result<std::vector<KeptSample>> unpack(std::string_view block) {
  // A message of the most that device.*.message_max_mb allows, and its line.
  constexpr std::size_t kUnpackedMax = 65U << 20;
  GW_TRY(const std::string text, core::gunzip(block, kUnpackedMax));
  std::vector<KeptSample> samples;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto blank = rest.substr(0, end).find(' ');
    const Error damaged(Code::corrupt, "a block of samples is damaged");
    if (end == rest.npos || blank == rest.npos) return damaged;
    std::size_t size = 0;
    std::from_chars(rest.data() + blank + 1, rest.data() + end, size);
    KeptSample one{std::string(rest.substr(0, blank)), {}};
    rest.remove_prefix(end + 1);
    if (size > rest.size()) return damaged;
    one.bytes = rest.substr(0, size);
    rest.remove_prefix(size);
    samples.push_back(std::move(one));
  }
  return samples;
}

}  // namespace

core::net::Awaitable<core::Result<bool>> keep_sample(std::shared_ptr<Holdings> holdings,
                                                     std::shared_ptr<const SampleMessage> message,
                                                     const core::Clock& clock) {
  GW_CO_CHECK(holdings->has_room());
  auto is_new = std::make_shared<bool>(false);
  crypto::Change change = [message, is_new, now = core::to_instant(clock.wall())](
                              Connection& connection) -> core::Status {
    GW_TRY(*is_new, insert_sample(connection, *message, now));
    return {};
  };
  GW_CO_CHECK(co_await write_async(holdings->database(), std::move(change)));
  co_return *is_new;
}

core::Result<std::int64_t> pack_samples(Connection& connection, const std::string& before) {
  std::string device;
  {
    GW_TRY(auto rows, connection.query("SELECT device FROM sample GROUP BY device"
                                       " HAVING count(*) >= ? OR min(received_at) < ?"
                                       " ORDER BY min(number) LIMIT 1",
                                       kSamplesOfBlockMax, before));
    GW_TRY(const bool found, rows.next());
    if (!found) return std::int64_t{0};
    device = rows.text(0);
  }
  GW_TRY(const Block block, gather(connection, device));
  const std::string packed = core::gzip(block.bytes);
  GW_CHECK(connection.run(
      "INSERT INTO sample_block (device, first_at, last_at, message_count, value_count, bytes)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      device, block.first_at, block.last_at, block.message_count, block.value_count,
      std::as_bytes(std::span(packed))));
  GW_CHECK(
      connection.run("DELETE FROM sample WHERE device = ? AND number <= ?", device, block.last));
  return block.message_count;
}

core::Result<std::int64_t> expire_samples(Connection& connection, const std::string& before,
                                          std::int64_t count_max) {
  GW_CHECK(
      connection.run("DELETE FROM sample_block WHERE number IN"
                     " (SELECT number FROM sample_block WHERE last_at < ?"
                     " ORDER BY last_at LIMIT ?)",
                     before, count_max));
  return connection.changes();
}

core::Result<Json> samples_report(Connection& connection) {
  GW_TRY(auto rows, connection.query(
                        "SELECT device, sum(messages), sum(value_count), sum(size), min(first_at),"
                        " max(last_at) FROM (SELECT device, 1 AS messages, value_count,"
                        " length(bytes) AS size, received_at AS first_at, received_at AS last_at"
                        " FROM sample UNION ALL SELECT device, message_count, value_count,"
                        " length(bytes), first_at, last_at FROM sample_block)"
                        " GROUP BY device ORDER BY device"));
  Json report = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return report;
    report.add(Json::object({{"device", rows.text(0)},
                             {"messages", rows.integer(1)},
                             {"values", rows.integer(2)},
                             {"bytes", rows.integer(3)},
                             {"first_at", rows.text(4)},
                             {"last_at", rows.text(5)}}));
  }
}

core::Result<std::vector<KeptSample>> read_samples(Connection& connection,
                                                   const std::string& device,
                                                   std::size_t count_max) {
  std::vector<KeptSample> newest;  // the newest first
  std::size_t held = 0;
  const auto is_enough = [&] { return newest.size() >= count_max || held >= kReadBytesMax; };
  const auto take = [&](KeptSample one) {
    held += one.bytes.size();
    newest.push_back(std::move(one));
  };
  {
    GW_TRY(auto rows, connection.query("SELECT received_at, bytes FROM sample WHERE device = ?"
                                       " ORDER BY number DESC LIMIT ?",
                                       device, static_cast<std::int64_t>(count_max)));
    while (!is_enough()) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      take({std::string(rows.text(0)), text_of(rows.blob(1))});
    }
  }
  GW_TRY(auto blocks, connection.query("SELECT bytes FROM sample_block WHERE device = ?"
                                       " ORDER BY number DESC",
                                       device));
  while (!is_enough()) {
    GW_TRY(const bool more, blocks.next());
    if (!more) break;
    GW_TRY(std::vector<KeptSample> packed, unpack(text_of(blocks.blob(0))));
    while (!packed.empty() && !is_enough()) {
      take(std::move(packed.back()));
      packed.pop_back();
    }
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

}  // namespace gateway::sync
