#include "daemon/api/console/sessions.h"

#include <algorithm>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::daemon::console {
namespace {

constexpr std::size_t kSessionsMax = 256;
constexpr std::size_t kNotedMax = 500;
constexpr std::size_t kTokenBytes = 32;
constexpr std::chrono::minutes kIdle{30};
constexpr std::chrono::hours kLongest{12};
constexpr std::chrono::minutes kNoteAgain{15};

std::string hash_of(std::string_view token) {
  return core::to_hex(crypto::as_text(crypto::sha256(crypto::as_octets(token))));
}

}  // namespace

Sessions::Opened Sessions::open(const crypto::Account& account) {
  Opened opened{core::to_hex(core::random_bytes(kTokenBytes)),
                {account.name, account.role, core::to_hex(core::random_bytes(kTokenBytes))}};
  const std::lock_guard lock(mutex_);
  if (records_.size() >= kSessionsMax) {
    records_.erase(
        std::ranges::min_element(records_, {}, [](const auto& one) { return one.second.used; }));
  }
  const core::Monotonic now = clock_.monotonic();
  records_[hash_of(opened.token)] = {opened.session, now, now, {}};
  return opened;
}

Sessions::Records::iterator Sessions::live(std::string_view token) {
  const auto found = records_.find(hash_of(token));
  if (found == records_.end()) return found;
  const core::Monotonic now = clock_.monotonic();
  if (now - found->second.used <= kIdle && now - found->second.opened <= kLongest) return found;
  records_.erase(found);
  return records_.end();
}

std::optional<Session> Sessions::find(std::string_view token, Asker asker) {
  const std::lock_guard lock(mutex_);
  const auto found = live(token);
  if (found == records_.end()) return std::nullopt;
  if (asker == Asker::person) found->second.used = clock_.monotonic();
  return found->second.session;
}

void Sessions::end(std::string_view token) {
  const std::lock_guard lock(mutex_);
  records_.erase(hash_of(token));
}

void Sessions::end_of(std::string_view account) {
  const std::lock_guard lock(mutex_);
  std::erase_if(records_, [&](const auto& one) { return one.second.session.account == account; });
}

bool Sessions::is_news(std::string_view token, const std::string& place, Asker asker) {
  const std::lock_guard lock(mutex_);
  const auto found = live(token);
  if (found == records_.end() || asker == Asker::person) return true;
  const auto& noted = found->second.noted;
  const auto before = noted.find(place);
  return before == noted.end() || clock_.monotonic() - before->second >= kNoteAgain;
}

void Sessions::noted(std::string_view token, const std::string& place) {
  const std::lock_guard lock(mutex_);
  const auto found = live(token);
  if (found == records_.end()) return;
  auto& noted = found->second.noted;
  if (noted.size() >= kNotedMax) noted.clear();
  noted[place] = clock_.monotonic();
}

}  // namespace gateway::daemon::console
