// A laboratory's system on a real socket: takes orders over MLLP, a message a connection, and
// answers what it is told to.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "tests/fakes/tls_server.h"

namespace gateway::fakes {

/// Text of a field of the first segment of that name; MSH counts its delimiter.
inline std::string field_of(const std::string& message, const std::string& segment, int number) {
  auto at = message.find("\r" + segment + "|");
  at = segment == "MSH" ? message.find("MSH|") : at == message.npos ? at : at + 1;
  if (segment == "MSH") --number;
  for (int i = 0; i < number && at != message.npos; ++i) at = message.find('|', at + 1);
  if (at == message.npos) return {};
  const auto end = message.find_first_of("|\r", at + 1);
  return message.substr(at + 1, end - at - 1);
}

class Laboratory {
 public:
  explicit Laboratory(TlsServerOptions options = {})
      : server_(std::move(options), [this](ServedConnection& line) { serve(line); }) {}

  std::uint16_t port() const { return server_.port(); }
  /// The next answers: what MSA-1 says, with more segments behind, or "hang up"; AA after them.
  void will_say(std::vector<std::string> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  /// Whatever holds this text is never answered.
  void will_choke_on(std::string text) {
    const std::lock_guard lock(mutex_);
    chokes_on_ = std::move(text);
  }
  std::vector<std::string> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  /// "NW s1" of each message.
  std::vector<std::string> controls() {
    std::vector<std::string> controls;
    for (const std::string& one : heard())
      controls.push_back(core::cat(field_of(one, "ORC", 1), ' ', field_of(one, "ORC", 2)));
    return controls;
  }

 private:
  void serve(ServedConnection& line) {
    std::string bytes;
    while (!bytes.ends_with("\x1c\r")) {
      const std::string more = line.read_some();
      if (more.empty()) return;
      bytes += more;
    }
    const std::string answer = answer_to(bytes);
    if (answer == "hang up") return;
    const auto code_end = std::min(answer.find('\r'), answer.size());
    // First what belongs to another message: it is passed over.
    for (const std::string& id : {std::string("other"), field_of(bytes, "MSH", 10)}) {
      line.write(core::cat("\x0bMSH|^~\\&|LAB||GW||20260301||ORL^O22|1|P|2.5.1\rMSA|",
                           answer.substr(0, code_end), "|", id, "|says Roe",
                           answer.substr(code_end), "\r\x1c\r"));
    }
    line.wait_for_peer_to_close();
  }

  std::string answer_to(const std::string& bytes) {
    const std::lock_guard lock(mutex_);
    heard_.push_back(bytes);
    if (!chokes_on_.empty() && bytes.find(chokes_on_) != bytes.npos) return "hang up";
    if (answers_.empty()) return "AA";
    std::string answer = std::move(answers_.front());
    answers_.erase(answers_.begin());
    return answer;
  }

  std::mutex mutex_;
  std::vector<std::string> heard_;
  std::vector<std::string> answers_;
  std::string chokes_on_;
  TlsServer server_;
};

}  // namespace gateway::fakes
