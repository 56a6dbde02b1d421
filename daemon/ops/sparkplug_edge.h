// The gateway as an edge node of Sparkplug B (Eclipse Sparkplug 3.0.0), without devices and without
// a primary host. NBIRTH comes once a session stands, when a metric is new, and when a host asks
// for it (NCMD "Node Control/Rebirth"), the last at most once a second; NDATA with what changed;
// NDEATH is the will, and said before a clean end. What a session could not take is made up for by
// the next NBIRTH: the newest values are what counts. Loop thread only, where nothing else is said.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/net/mqtt_session.h"
#include "daemon/ops/sparkplug.h"

namespace gateway::daemon {

class SparkplugEdge {
 public:
  /// Null while there is none.
  using Session = std::function<core::net::MqttSession*()>;

  /// `clock` outlives it, and it outlives the session. `bd_seq_file` keeps the bdSeq of the last
  /// session, so that it counts across starts.
  SparkplugEdge(boost::asio::any_io_executor loop, const core::Clock& clock,
                const std::string& group, const std::string& node, Session session,
                std::string bd_seq_file);
  ~SparkplugEdge() { *alive_ = false; }
  SparkplugEdge(const SparkplugEdge&) = delete;
  SparkplugEdge& operator=(const SparkplugEdge&) = delete;

  const std::string& death_topic() const { return death_topic_; }
  const std::string& command_topic() const { return command_topic_; }
  /// NDEATH of the session that is tried next, with a bdSeq of its own. Any thread.
  std::string next_will();
  /// The session began or ended. Any thread.
  void on_standing(bool connected);
  /// What came on the command topic. Any thread.
  void on_command(std::string_view payload);

  /// All there is now.
  void tell(SparkplugMetrics present);
  /// Says NDEATH: the session ends in order.
  void say_goodbye();

 private:
  void be_born();
  void be_born_again();
  void send(const std::string& topic, std::string payload);

  boost::asio::any_io_executor loop_;
  const core::Clock& clock_;
  const Session session_;
  const std::string birth_topic_;
  const std::string data_topic_;
  const std::string death_topic_;
  const std::string command_topic_;
  const std::string bd_seq_file_;
  std::atomic<std::uint64_t> bd_seq_;  // of the session that stands or is tried
  std::atomic<bool> is_asked_{false};  // a rebirth is on its way to the loop
  boost::asio::steady_timer next_birth_;
  std::optional<core::Monotonic> born_at_;
  bool is_standing_ = false;
  bool is_born_ = false;  // the hosts know all that the node knows
  SparkplugMetrics present_;
  SparkplugNode node_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
