// Hints that a pull would bring something: the server is asked by R4 Subscriptions with a channel
// of type websocket (R4, Subscription) to say so when what a pull asks for has changed. Hints only
// hurry: nothing is taken from them, and what is missed comes with the next pull.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/net/web_socket.h"
#include "sync/fhir_endpoint.h"

namespace gateway::sync {

/// The Subscription's criteria for a search of the pull: what says how the answer is to look
/// (_sort, _include, ...) is left out. "Patient" becomes "Patient?".
std::string hint_criteria(const std::string& search);

/// Use from one loop thread.
class PullHints : public std::enable_shared_from_this<PullHints> {
 public:
  /// `hinted` is called when a server said that something changed, and when it began to listen
  /// after something may have been missed.
  static std::shared_ptr<PullHints> create(FhirEndpoint endpoint, std::string path,
                                           std::function<void()> hinted);

  /// Listens for each of the searches from now on, until close(): a Subscription is looked for
  /// there, or made, and bound on a WebSocket of its own; what fails is tried again after a while.
  /// Calls after the first change nothing.
  void listen(const boost::asio::any_io_executor& loop, const std::vector<std::string>& searches);
  void close();
  /// {"listening","searches","error"}: how many are bound, of how many; why one is not.
  core::Json report() const;

 private:
  struct Ear {
    std::shared_ptr<core::net::WebSocket> socket;
    std::optional<boost::asio::steady_timer> pause;  // until it is tried again
    bool is_bound = false;
    std::string error;
    std::string made;  // id of the Subscription made for it
  };

  PullHints(FhirEndpoint endpoint, std::string path, std::function<void()> hinted);
  static core::net::Awaitable<void> keep_listening(std::shared_ptr<PullHints> self,
                                                   std::string criteria);
  core::net::Awaitable<core::Status> listen_once(const std::string& criteria);
  core::net::Awaitable<core::Result<std::string>> subscription_for(const std::string& criteria);
  core::net::Awaitable<core::Result<std::string>> make_subscription(const std::string& criteria);
  core::net::Awaitable<core::Result<bool>> is_made_still_there(std::string id);

  FhirEndpoint endpoint_;
  const std::string path_;
  const std::function<void()> hinted_;
  std::map<std::string, Ear> ears_;  // by criteria
  bool closed_ = false;
};

}  // namespace gateway::sync
