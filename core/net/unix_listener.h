// A Unix socket in the file system that somebody listens on: the control socket's, and those of
// third-party adapters.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "core/result.h"

namespace gateway::core::net {

/// Code::invalid: no path, or one longer than a socket's can be.
Status check_socket_path(const std::string& path);

/// Opens `acceptor`, which is closed, at `path`, with mode 0660 from the beginning. A socket file
/// that a crash left is replaced; Code::exists: another process answers there, or it is no socket.
/// Who closes the acceptor removes the file.
Status listen_at(boost::asio::local::stream_protocol::acceptor& acceptor, const std::string& path,
                 int backlog);

}  // namespace gateway::core::net
