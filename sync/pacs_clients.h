// The uplinks of images as WADO-RS clients of the upkeep thread: made when first needed, on its own
// loop, so that what it reads back never stands before what is to be sent.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/net/http.h"
#include "core/result.h"

namespace gateway::sync {

using ConnectPacs = std::function<core::Result<std::shared_ptr<core::net::HttpClient>>(
    boost::asio::any_io_executor loop, const std::string& uplink)>;

/// Used from the loop's thread only.
class PacsClients {
 public:
  /// `committing`: uplinks whose PACS commits itself (sync/pacs_commitment.h), which nothing is
  /// read back from.
  PacsClients(boost::asio::any_io_executor loop, ConnectPacs connect,
              std::set<std::string> committing = {})
      : loop_(std::move(loop)), connect_(std::move(connect)), committing_(std::move(committing)) {}

  const std::set<std::string>& committing() const { return committing_; }

  core::Result<std::shared_ptr<core::net::HttpClient>> get(const std::string& uplink);
  /// Running requests end soon with Code::cancelled, and so do new ones.
  void close();

 private:
  boost::asio::any_io_executor loop_;
  ConnectPacs connect_;
  const std::set<std::string> committing_;
  std::map<std::string, std::shared_ptr<core::net::HttpClient>> clients_;
  bool closed_ = false;
};

}  // namespace gateway::sync
