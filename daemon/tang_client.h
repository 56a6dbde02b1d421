// Questions to Tang servers (crypto/tang.h), by HTTP: what crosses the network is worth nothing to
// anybody else, so plain HTTP is fine. Loop thread only; each ends within about eight seconds.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/net/http.h"
#include "core/result.h"
#include "crypto/tang.h"

namespace gateway::daemon {

core::net::Awaitable<core::Result<crypto::TangAdvertisement>> fetch_tang_advertisement(
    boost::asio::any_io_executor loop, std::string url);
core::net::Awaitable<core::Result<crypto::TangSecret>> recover_tang_secret(
    boost::asio::any_io_executor loop, crypto::TangBinding binding);

/// Asks all servers of a gateway's slots at once, without holding up anything.
class TangRound {
 public:
  /// On the loop. `secret`: once per server that answered, as it comes; then `done` with what went
  /// wrong elsewhere, empty when nothing did. Neither is called after destruction.
  TangRound(boost::asio::any_io_executor loop, std::vector<crypto::TangBinding> bindings,
            std::function<void(crypto::TangSecret)> secret, std::function<void(std::string)> done);
  ~TangRound();
  TangRound(const TangRound&) = delete;
  TangRound& operator=(const TangRound&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gateway::daemon
