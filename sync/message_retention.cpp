#include "sync/message_retention.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "sync/replica.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

struct OldMessage {
  std::int64_t number = 0;
  std::string became;
};

/// A device's result that nobody has released yet may still be asked about.
bool is_unreleased(const StoredResource& resource) {
  const std::string_view type = resource.body["resourceType"].text();
  const std::string_view status = resource.body["status"].text();
  return (type == "Observation" || type == "DiagnosticReport") &&
         (status == "registered" || status == "preliminary" || status == "partial");
}

core::Result<bool> is_settled(Connection& connection, std::string_view became) {
  while (!became.empty()) {
    const std::string_view subject = became.substr(0, became.find(' '));
    became.remove_prefix(std::min(subject.size() + 1, became.size()));
    GW_TRY(const auto waiting,
           connection.integer(
               "SELECT 1 FROM outbox WHERE kind = 'resource' AND subject = ? LIMIT 1", subject));
    if (waiting) return false;
    const auto key = parse_reference(subject);
    if (!key) continue;
    GW_TRY(const auto held, read_resource(connection, *key));
    if (held && is_unreleased(*held)) return false;
  }
  return true;
}

/// The stored ones among the next messages; moves the walk.
core::Result<std::vector<OldMessage>> next_old(Connection& connection, const std::string& before,
                                               std::int64_t rows_max, MessageWalk& walk) {
  if (walk.ended) walk = {};
  std::vector<OldMessage> old;
  GW_TRY(auto rows,
         connection.query("SELECT r.number, m.received_at, m.state, m.became FROM message_raw r"
                          " JOIN message m USING (number) WHERE r.number > ?"
                          " ORDER BY r.number LIMIT ?",
                          walk.after, rows_max));
  std::int64_t looked = 0;
  while (true) {
    GW_TRY(const bool more, rows.next());
    // They came in the order of their numbers, so the rest is younger still.
    walk.ended = more ? rows.text(1) >= before : looked < rows_max;
    if (!more || walk.ended) return old;
    ++looked;
    walk.after = rows.integer(0);
    if (rows.text(2) == "stored") old.push_back({walk.after, std::string(rows.text(3))});
  }
}

}  // namespace

core::Result<std::int64_t> expire_raw_messages(Connection& connection, const std::string& before,
                                               std::int64_t rows_max, MessageWalk& walk) {
  GW_TRY(const auto old, next_old(connection, before, rows_max, walk));
  std::int64_t gone = 0;
  for (const OldMessage& message : old) {
    GW_TRY(const bool settled, is_settled(connection, message.became));
    if (!settled) continue;
    GW_CHECK(connection.run("DELETE FROM message_raw WHERE number = ?", message.number));
    ++gone;
  }
  return gone;
}

}  // namespace gateway::sync
