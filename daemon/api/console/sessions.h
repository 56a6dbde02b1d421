// Who is signed in at the console. A session ends after 30 minutes in which its person did nothing
// (a page that keeps itself up to date is not the person), after 12 hours, when it is signed out,
// when its account goes, and with the daemon. In memory; of the cookie's token only the SHA-256.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "crypto/accounts.h"

namespace gateway::daemon::console {

struct Session {
  std::string account;
  crypto::Role role = crypto::Role::viewer;
  std::string csrf;  // to be sent with every change, in a header no other site can set
};

enum class Asker { person, page };

class Sessions {
 public:
  explicit Sessions(const core::Clock& clock) : clock_(clock) {}

  struct Opened {
    std::string token;
    Session session;
  };
  /// Beyond 256 sessions the one that was idle longest ends.
  Opened open(const crypto::Account& account);
  /// Nothing: the token is nobody's, or its time is over.
  std::optional<Session> find(std::string_view token, Asker asker);
  void end(std::string_view token);
  void end_of(std::string_view account);

  /// Whether a look of this session at `place` is to be noted in the audit trail: always when the
  /// person looks, once in 15 minutes when the page does.
  bool is_news(std::string_view token, const std::string& place, Asker asker);
  /// The audit trail has taken that look.
  void noted(std::string_view token, const std::string& place);

 private:
  struct Record {
    Session session;
    core::Monotonic opened;
    core::Monotonic used;
    std::map<std::string, core::Monotonic> noted;
  };
  using Records = std::map<std::string, Record>;
  Records::iterator live(std::string_view token);

  const core::Clock& clock_;
  std::mutex mutex_;
  Records records_;  // guarded by mutex_; by SHA-256 of the token in hex
};

}  // namespace gateway::daemon::console
