#include "daemon/ops/sparkplug_edge.h"

#include <boost/asio/post.hpp>
#include <charconv>
#include <utility>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

constexpr std::uint64_t kBdSeqEnd = 256;
constexpr core::Milliseconds kBirthEvery{1'000};

std::string topic_of(const std::string& group, const char* type, const std::string& node) {
  return core::cat("spBv1.0/", group, '/', type, '/', node);
}

/// Of the session before; before the first there is 255.
std::uint64_t last_of(const std::string& file) {
  const auto text = core::read_whole_file(core::system_files(), file, 16);
  std::uint64_t last = kBdSeqEnd - 1;
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), last);
  return last % kBdSeqEnd;
}

}  // namespace

SparkplugEdge::SparkplugEdge(boost::asio::any_io_executor loop, const core::Clock& clock,
                             const std::string& group, const std::string& node, Session session,
                             std::string bd_seq_file)
    : loop_(std::move(loop)),
      clock_(clock),
      session_(std::move(session)),
      birth_topic_(topic_of(group, "NBIRTH", node)),
      data_topic_(topic_of(group, "NDATA", node)),
      death_topic_(topic_of(group, "NDEATH", node)),
      command_topic_(topic_of(group, "NCMD", node)),
      bd_seq_file_(std::move(bd_seq_file)),
      bd_seq_(last_of(bd_seq_file_)),
      next_birth_(loop_) {}

std::string SparkplugEdge::next_will() {
  const std::uint64_t next = (bd_seq_ + 1) % kBdSeqEnd;
  bd_seq_ = next;
  // A host may hear the NDEATH of a start before only after the NBIRTH of this one.
  const auto kept = core::write_file_durably(core::system_files(), bd_seq_file_, core::cat(next));
  if (!kept.ok()) core::log_warn("daemon", kept.error().message());
  return sparkplug_death(next, clock_.wall());
}

void SparkplugEdge::on_standing(bool connected) {
  boost::asio::post(loop_, [this, alive = alive_, connected] {
    if (!*alive) return;
    is_standing_ = connected;
    is_born_ = false;
    if (connected) be_born();
  });
}

/// Whoever may publish to the topic must fill neither the loop nor the log.
void SparkplugEdge::on_command(std::string_view payload) {
  const core::Result<bool> asks = asks_for_rebirth(payload);
  if (!asks.ok()) {
    core::log_warn("daemon", core::cat("what came on ", command_topic_,
                                       " was ignored: ", asks.error().message()));
  }
  if (!asks.ok() || !*asks || is_asked_.exchange(true)) return;
  boost::asio::post(loop_, [this, alive = alive_] {
    if (*alive) be_born_again();
  });
}

/// No NDATA before the NBIRTH that was asked for.
void SparkplugEdge::be_born_again() {
  is_asked_ = false;
  is_born_ = false;
  const core::Monotonic now = clock_.monotonic();
  if (!born_at_ || now - *born_at_ >= kBirthEvery) return be_born();
  next_birth_.expires_after(kBirthEvery - (now - *born_at_));
  next_birth_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) be_born();
  });
}

void SparkplugEdge::be_born() {
  if (!is_standing_ || present_.empty()) return;
  next_birth_.cancel();
  born_at_ = clock_.monotonic();
  is_born_ = true;
  send(birth_topic_, node_.birth(present_, bd_seq_, clock_.wall()));
}

void SparkplugEdge::tell(SparkplugMetrics present) {
  present_ = std::move(present);
  if (!is_standing_) return;
  if (!is_born_) return be_born();
  std::optional<std::string> changed = node_.data(present_, clock_.wall());
  if (!changed) return be_born();
  if (!changed->empty()) send(data_topic_, std::move(*changed));
}

void SparkplugEdge::say_goodbye() {
  core::net::MqttSession* const session = session_();
  // Also between a birth that was asked for and the birth: the will does not come after a good-bye.
  if (session == nullptr || !is_standing_) return;
  session->send(death_topic_, sparkplug_death(bd_seq_, clock_.wall()), /*retained=*/false,
                [](bool) {});
}

void SparkplugEdge::send(const std::string& topic, std::string payload) {
  core::net::MqttSession* const session = session_();
  if (session == nullptr) return;
  session->send_unacknowledged(topic, std::move(payload),
                               [this, alive = alive_, loop = loop_](bool sent) {
                                 if (sent) return;
                                 // Its seq is missing now.
                                 boost::asio::post(loop, [this, alive] {
                                   if (*alive) is_born_ = false;
                                 });
                               });
}

}  // namespace gateway::daemon
